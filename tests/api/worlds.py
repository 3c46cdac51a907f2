"""Projects with one row of everything, as the parameters of the API's addresses."""

from perfsite.access.rights import PURPOSES
from perfsite.access.services import token_add
from perfsite.alerts.models import OutboxMail
from perfsite.regressions.models import Incident
from perfsite.results.models import Artifact, Environment, Measurement, Report, Series
from tests.factories import build_make, claim, job_make, project_make, worker_make


def world_make(slug: str, *, is_public: bool = False) -> dict[str, object]:
    """A project with one row of everything; `query` is what some operations need besides."""
    project = project_make(slug=slug, is_public=is_public)
    base, build = build_make(project, 1), build_make(project, 2)
    job = job_make(build)
    attempt = claim(worker_make(f"w-{slug}"))
    environment = Environment.objects.create(sha256=slug, facts={}, split="")
    Report.objects.create(job=job, attempt=attempt, environment=environment, kind="measure")
    names = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite", "metric")
    series = Series.objects.create(key=slug, project=project, **dict.fromkeys(names, "x"))
    for row in (base, build):
        Measurement.objects.create(series=series, ordinal=row.ordinal, value=1.0, build=row, job=job)
    artifact = Artifact.objects.create(job=job, name="a", kind="log", sha256="0" * 64, size=1, file="gone")
    incident = Incident.objects.create(project=project, build=build, range_start=base)
    mail = OutboxMail.objects.create(message_id=slug, sender="s", recipients=[], subject="", text="")
    return {
        "slug": slug,
        "build_id": build.pk,
        "run_id": job.run_id,
        "job_id": job.pk,
        "artifact_id": artifact.pk,
        "environment_id": environment.pk,
        "series_id": series.pk,
        "incident_id": incident.pk,
        "mail_id": mail.pk,
        "token": "00000000-0000-4000-8000-000000000000",
        "name": "a",
        "query": f"?base={base.pk}&new={build.pk}&kind=log&sha256=0",
    }


def secrets_make() -> dict[str, str]:
    """A token of the whole site for each purpose."""
    return {purpose: token_add(name=f"all {purpose}", purpose=purpose) for purpose in PURPOSES}
