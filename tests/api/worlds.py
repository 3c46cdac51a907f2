"""Projects with one row of everything, as the parameters of the API's addresses."""

from datetime import time, timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from perfsite.access.models import Token
from perfsite.access.people import member_store
from perfsite.access.rights import PURPOSES
from perfsite.access.services import token_add
from perfsite.alerts.configuring import channel_save
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.models import Channel, Mute, Notification, OutboxMail, Rule
from perfsite.dashboards.services import note_add
from perfsite.pulls.models import TrustedAuthor
from perfsite.pulls.services import pull_receive
from perfsite.pulls.told import PullTold
from perfsite.regressions.grading.rules import rule_change
from perfsite.regressions.models import (
    Attribution,
    Bisection,
    BisectionStep,
    Incident,
    LevelStanding,
    Regression,
    Verdict,
)
from perfsite.results.models import Artifact, Environment, Measurement, Report, Series
from perfsite.runs.schedules import Timing, schedule_add
from perfsite.webhooks.models import Delivery
from perfsite.webhooks.services import refusal_count
from tests.factories import build_make, claim, job_make, project_make, worker_make


def world_make(slug: str, *, is_public: bool = False) -> dict[str, object]:
    """A project with one row of everything."""
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
        "base_id": base.pk,
        **_kept_make(project, series, incident),
        **_asked_make(project, series, incident, base, build),
    }


def _kept_make(project, series, incident) -> dict[str, object]:
    """What maintainers keep: a rule, a channel, a mute, a schedule, a token, and a message that failed."""
    defaults_ensure(project=project)
    rule = Rule.objects.get(project=project)
    channel_save(project=project, kind="email", name="mail", values={})
    channel = Channel.objects.get(project=project, name="mail")
    now = timezone.now()
    mute = Mute.objects.create(project=project, series=series, until=now + timedelta(days=1), reason="moved")
    timing = Timing(name="nightly", what="full", at=time(2), days=range(7))
    token_add(name=f"{project.slug} ci", purpose="report", project_id=project.pk)
    member = get_user_model().objects.create_user(f"{project.slug}-ada")
    member_store(project_id=project.pk, username=member.username, role="administrator")
    message = Notification.objects.create(
        incident=incident,
        channel=channel,
        recipient="ada@example.org",
        state="failed",
        key=f"{project.slug}@x",
        error="it hung up",
    )
    return {
        "username": member.username,
        "rule_id": rule.pk,
        "channel_id": channel.pk,
        "mute_id": mute.pk,
        "schedule_id": schedule_add(project=project, timing=timing, now=now).pk,
        "token_id": Token.objects.get(project=project).pk,
        "notification_id": message.pk,
    }


def _asked_make(project, series, incident, base, build) -> dict[str, object]:
    """What people are asked about: a fork's pull request, a verdict with its search, a note, a level."""
    told = PullTold(number=7, sha="c" * 40, base_branch="main", author="eve", author_id="6", from_fork=True)
    head = pull_receive(project=project, forge="github", told=told)
    author = TrustedAuthor.objects.create(
        project=project, forge="github", author="ada", author_id="5", approved_by="grace"
    )
    verdict = Verdict.objects.create(
        series=series, build=build, base=base, kind="regressed", before=1, after=2, relative=1.0,
        stage="confirmation", detector="t", data_sha256="", sentence="It moved.", evidence={"a": [1.0]},
    )  # fmt: skip
    Attribution.objects.create(verdict=verdict, total=1.0, parts=[_part()])
    regression = Regression.objects.create(incident=incident, series=series, build=build, verdict=verdict)
    search = Bisection.objects.create(regression=regression, good=base, bad=build)
    BisectionStep.objects.create(bisection=search, build=build)
    note = note_add(series=series, build_id=build.pk, author="ada", text="The bench was moved.")
    LevelStanding.objects.create(
        series=series, level="x at_most", direction="at_most", bound=1.0, value=2.0, is_met=False, ordinal=2,
        build=build, job=build.runs.get().jobs.get(), incident=incident,
    )  # fmt: skip
    rule_change(project=project, parameters={"score": 5.5}, actor="ada", reason="quieter", since=None)
    Delivery.objects.create(project=project, forge="github", delivery_id="1", event="push")
    refusal_count(project=project, reason="signature")
    return {
        "forge": "github",
        "number": 7,
        "head_id": head.pk,
        "author_id": author.pk,
        "verdict_id": verdict.pk,
        "note_id": note.pk,
    }


def _part() -> dict[str, object]:
    return {"cause": "code", "relative": 1.0, "low": 0.9, "high": 1.1, "sentence": "It was the code."}


def secrets_make() -> dict[str, str]:
    """A token of the whole site for each purpose."""
    return {purpose: token_add(name=f"all {purpose}", purpose=purpose) for purpose in PURPOSES}
