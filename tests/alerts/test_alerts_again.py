"""What was told, taken back and stands again is told again: once for each time that it stands."""

import pytest
from django.utils import timezone

from perfsite.alerts.models import Notification, OutboxMail, Telling
from perfsite.alerts.services import incidents_tell
from perfsite.regressions.causes import causes_find
from perfsite.regressions.changes import verdict_record
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.regressions.subjects import change_of
from perfsite.regressions.triage import incident_triage
from perfsite.results.services import report_store
from perfsite.runs.models import Job
from tests.alerts.smtp_sink import smtp_sink
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.regressions.builders import compare_report
from tests.regressions.witnessed import build_measured, level_measured, settle
from tests.reports import report_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SITE_URL = "https://perf.example.org"
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"
    return project_make(slug="demo", owner_email="owner@example.org")


@pytest.fixture
def incident(project) -> Incident:
    """A confirmed slowdown of the ninth build."""
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    return Incident.objects.get()


def comparison() -> Job:
    """The one that the suspicion ordered."""
    return Job.objects.filter(kind="compare").order_by("id")[0]


def refute(incident: Incident) -> None:
    """A second comparison finds no change."""
    again = job_make(incident.build, case_make(), kind="compare", spec=comparison().spec)
    compare_report(again, {"latency_p50": 1.0})
    reports_screen()
    causes_find()
    incident.refresh_from_db()
    assert incident.state == "withdrawn"


def find_again(incident: Incident, *, relative: float = 0.15) -> Verdict:
    """A third comparison finds the same series slower all the same."""
    first = incident.regressions.get().verdict
    change = change_of(first)
    verdict = verdict_record(
        series=first.series, build=first.build, base=first.base, kind="regressed",
        change=type(change)(change.before, change.before * (1 + relative), relative, 0.14, 0.16),
        stage="confirmation", evidence={"pairs": 12}, sentence=f"slower by {relative:.0%}, third time",
        detector="tests", data_sha256="0" * 64,
    )  # fmt: skip
    incident.refresh_from_db()
    return verdict


def subjects() -> list[str]:
    return [mail.subject.removeprefix("[demo] ") for mail in OutboxMail.objects.order_by("id")]


def test_it_is_told_once_for_each_time_that_it_stands(incident):
    assert incidents_tell() == 1
    refute(incident)
    assert incidents_tell() == 1
    verdict = find_again(incident)
    assert (incident.state, incident.opening) == ("untriaged", 2)
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    told, withdrawn, again = OutboxMail.objects.order_by("id")
    assert withdrawn.subject.startswith("[demo] Withdrawn: ")
    assert again.subject.startswith(f"[demo] Stands again: {incident.build.short} made cnn 15.0 % slower")
    assert f"It had been withdrawn.\nStands again: {verdict.sentence}" in again.text
    assert "confirmed by 12 interleaved pairs" in again.text
    assert told.recipients == withdrawn.recipients == again.recipients
    # and it is taken back again, once
    job = job_make(incident.build, case_make(), kind="compare", spec=comparison().spec)
    Verdict.objects.create(
        series=verdict.series, build=verdict.build, base=verdict.base, job=job, kind="same",
        stage="confirmation", before=1, after=1, relative=0, sentence="no change after all",
        detector="tests", data_sha256="0" * 64,
    )  # fmt: skip
    causes_find()
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    assert subjects()[-1].startswith("Withdrawn: ")
    assert len(subjects()) == len({mail.message_id for mail in OutboxMail.objects.all()}) == 4


def test_what_nobody_heard_of_is_told_as_any_other(incident):
    refute(incident)
    assert incidents_tell() == 0
    find_again(incident)
    assert incidents_tell() == 1
    assert "again" not in subjects()[0]


def test_a_person_who_opens_it_again_has_it_told_again(incident):
    incidents_tell()
    refute(incident)
    incidents_tell()
    incident_triage(incident=incident, state="confirmed", actor="ada")
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    mail = OutboxMail.objects.order_by("id").last()
    assert mail.subject.startswith("[demo] Stands again: ")
    assert "ada opened it again." in mail.text
    incident_triage(incident=incident, state="investigating", actor="ada")
    assert incidents_tell() == 0


@pytest.fixture
def sink(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with smtp_sink() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server


def test_what_is_overtaken_on_its_way_is_not_sent(incident, sink):
    incidents_tell()
    refute(incident)
    sink.recipient_answer = "451 busy"
    assert incidents_tell() == 0  # the withdrawal waits
    find_again(incident)
    sink.recipient_answer = "250 fine"
    Notification.objects.filter(state="queued").update(due_at=timezone.now())
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    assert [mail["Subject"].split(":")[0].split("] ")[1] for mail in sink.mails[1:]] == ["Stands again"]
    withdrawal = Notification.objects.get(occasion="withdrawal")
    assert (withdrawal.state, "stands again" in withdrawal.error) == ("failed", True)


def test_a_first_message_that_waits_is_overtaken_by_the_next_one(incident, sink):
    sink.recipient_answer = "451 busy"
    assert incidents_tell() == 0
    refute(incident)
    find_again(incident)
    sink.recipient_answer = "250 fine"
    Notification.objects.update(due_at=timezone.now())
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    assert len(sink.mails) == 1
    assert Telling.objects.count() == 2


def test_what_is_refuted_is_no_part_of_what_stands_again(incident):
    """Another series joins the withdrawn incident: the message is about that one alone."""
    incidents_tell()
    refute(incident)
    incidents_tell()
    job = job_make(incident.build, case_make(model="bert"))
    first = incident.regressions.get().verdict
    series = first.series
    series.pk, series.model, series.key = None, "bert", "bert-series"
    series.save()
    verdict_record(
        series=series, build=incident.build, base=first.base, kind="regressed", change=change_of(first),
        stage="confirmation", evidence={"pairs": 8}, sentence="bert is slower", detector="tests",
        data_sha256="0" * 64, job=job,
    )  # fmt: skip
    type(job).objects.filter(pk=job.pk).update(state="done")
    assert Regression.objects.count() == 2
    assert incidents_tell() == 1
    mail = OutboxMail.objects.order_by("id").last()
    assert "made bert " in mail.subject
    assert "and 1 more" not in mail.subject
    assert "cnn" not in mail.text.split("Reproduce")[0].replace("cnn.py", "")


LEVEL = {"key": "latency_p99 at_most", "metric": "latency_p99", "direction": "at_most", "bound": 0.080}


def test_a_breach_that_was_met_and_is_breached_again_at_its_build_is_told_again(project):
    worker = worker_make()

    def measure(ordinal, p99, *, batch=1):
        build = project.builds.filter(ordinal=ordinal).first() or build_make(project, ordinal)
        job = job_make(build, case_make(batch=batch))
        job.spec["levels"] = [LEVEL]
        job.save()
        body = report_make(job, {"latency_p50": 0.01, "latency_p99": p99})
        report_store(token=claim(worker).token, body=body, raw=body.model_dump_json().encode())
        reports_screen()

    measure(1, 0.070)
    measure(2, 0.0912)
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    measure(3, 0.075)
    assert Incident.objects.get().state == "fixed"
    measure(2, 0.095, batch=8)  # another case's report of the same build comes late
    assert (Incident.objects.get().state, Incident.objects.get().opening) == ("untriaged", 2)
    assert [incidents_tell(), incidents_tell()] == [1, 0]
    mail = OutboxMail.objects.order_by("id").last()
    assert mail.subject.startswith("[demo] Stands again: Latency p99 of cnn")
    assert "The level had been met again.\nBreached again: " in mail.text


def test_a_breach_that_a_person_calls_fixed_is_confirmed_again_by_the_next_build(project):
    worker = worker_make()
    for ordinal, p99 in enumerate((0.09, 0.095), 1):
        job = job_make(build_make(project, ordinal), case_make())
        job.spec["levels"] = [LEVEL]
        job.save()
        body = report_make(job, {"latency_p50": 0.01, "latency_p99": p99})
        report_store(token=claim(worker).token, body=body, raw=body.model_dump_json().encode())
        reports_screen()
        if ordinal == 1:
            incident_triage(incident=Incident.objects.get(), state="fixed", actor="ada")
    assert Incident.objects.get().state == "confirmed"
    assert "breaches the level at" in Incident.objects.get().events.get(code="not_fixed").sentence
