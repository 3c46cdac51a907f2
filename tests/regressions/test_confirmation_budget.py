"""What comparisons may cost in a day: when none is ordered, what a suspicion then says, who goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from perfsite.regressions.confirmation.day_budget import day_spent, minutes_spent
from perfsite.regressions.confirmation.order import suspicions_order
from perfsite.regressions.models import Incident, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Attempt, Job
from tests.factories import build_make, job_make, project_make, worker_make
from tests.regressions.builders import QUIET, compare_job, history_make

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def attempt_make(project, *, kind="compare", minutes: float, ended: datetime | None, number: int = 1):
    """A try of a job of the project that took so long and ended then, or still runs since NOON less that."""
    build = project.builds.first() or build_make(project, 1)
    job = job_make(build, kind=kind, state="done" if ended else "running", priority=30)
    return Attempt.objects.create(
        job=job,
        number=number,
        worker=worker_make(),
        state="reported" if ended else "running",
        claimed_at=(ended or NOON) - timedelta(minutes=minutes),
        ended_at=ended,
        lease_expires_at=NOON,
    )


@pytest.fixture
def spent_day(project):
    """All of the day's minutes are spent, by one try that ended a moment ago."""
    now = timezone.now()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = (now - midnight).total_seconds() / 60
    Attempt.objects.all().delete()

    def spend(**confirmation) -> None:
        attempt_make(project, minutes=minutes, ended=now)
        for job in Job.objects.filter(kind="measure"):
            job.spec["confirmation"] = {"minutes_per_day": minutes / 2, **confirmation}
            job.save()

    return spend


def waits() -> dict:
    return Suspicion.objects.get().evidence.get("waits", {})


def test_minutes_are_of_every_try_since_midnight():
    project = project_make()
    attempt_make(project, minutes=30, ended=NOON - timedelta(hours=1))
    attempt_make(project, kind="profile", minutes=10, ended=NOON)
    attempt_make(project, minutes=5, ended=None)
    attempt_make(project, minutes=120, ended=NOON - timedelta(hours=11))  # one of two hours was today
    attempt_make(project, minutes=60, ended=NOON - timedelta(days=1))
    attempt_make(project, kind="measure", minutes=60, ended=NOON)
    attempt_make(project_make(), minutes=60, ended=NOON)
    assert minutes_spent(project_id=project.pk, now=NOON) == pytest.approx(30 + 10 + 5 + 60)


def test_what_is_ordered_already_is_set_aside():
    project = project_make()
    build = build_make(project, 1)
    spec = {"confirmation": {"minutes_per_day": 12}}
    for _ in range(9):
        job_make(build, kind="compare", priority=-10)  # self-tests, for which nobody waits
    assert day_spent(project_id=project.pk, spec=spec, now=NOON) == ""
    for _ in range(2):
        job_make(build, kind="compare", priority=30)
        first = day_spent(project_id=project.pk, spec=spec, now=NOON)
    assert first == ""
    job_make(build, kind="compare", priority=30)
    assert "the 3 that are ordered" in day_spent(project_id=project.pk, spec=spec, now=NOON)
    attempt_make(project, minutes=1, ended=NOON)
    assert day_spent(project_id=project.pk, spec=spec, now=NOON) == ""


def test_a_suspicion_waits_for_the_next_day_and_says_so(project, spent_day):
    history_make(project, [*QUIET, 1.2])
    spent_day()
    reports_screen()
    suspicion = Suspicion.objects.get()
    assert (suspicion.state, suspicion.job) == ("open", None)
    assert "are spent" in waits()["reason"]
    assert reports_screen() == 0
    Attempt.objects.update(
        claimed_at=timezone.now() - timedelta(days=2), ended_at=timezone.now() - timedelta(days=1)
    )
    reports_screen()
    suspicion.refresh_from_db()
    assert suspicion.job == Job.objects.get(kind="compare", state="queued")
    assert waits() == {}


def test_other_projects_go_on_meanwhile(project, spent_day):
    history_make(project, [*QUIET, 1.2])
    spent_day()
    other = project_make()
    history_make(other, [*QUIET, 1.2])
    reports_screen()
    queued = Job.objects.filter(kind="compare", state="queued")
    assert [job.run.build.project for job in queued] == [other]


def test_a_suspicion_that_waited_three_days_is_settled_unknown(project, spent_day):
    history_make(project, [*QUIET, 1.2])
    spent_day()
    reports_screen()
    suspicion = Suspicion.objects.get()
    suspicion.evidence["waits"]["since"] = (timezone.now() - timedelta(days=2, hours=23)).isoformat()
    suspicion.save()
    assert suspicions_order() == 0
    suspicion.evidence["waits"]["since"] = (timezone.now() - timedelta(days=3, hours=1)).isoformat()
    suspicion.save()
    assert suspicions_order() == 1
    suspicion.refresh_from_db()
    verdict = Verdict.objects.get(stage="confirmation")
    assert (suspicion.state, verdict.kind) == ("settled", "unknown")
    assert "waited 3 days" in verdict.sentence
    assert not Incident.objects.exists()


def test_a_project_that_allows_none_does_not_wait(project, spent_day):
    history_make(project, [*QUIET, 1.2])
    spent_day(minutes_per_day=0)
    reports_screen()
    assert Suspicion.objects.get().state == "settled"
    assert "minutes_per_day is 0" in Verdict.objects.get(stage="confirmation").sentence


def test_the_file_bounds_the_pairs_unless_the_rule_does(project):
    history_make(project, [*QUIET, 1.2])
    for job in Job.objects.all():
        job.spec["confirmation"] = {"minutes_per_day": 120, "max_pairs": 9}
        job.save()
    reports_screen()
    assert compare_job().spec["max_pairs"] == 9
    Job.objects.filter(kind="compare").delete()
    rule = {"alpha": 0.002, "max_pairs": 40, "relevant": {"latency_p50": 0.01}}
    project.rule_changes.create(parameters=rule)
    reports_screen()
    assert {name: compare_job().spec[name] for name in rule} == rule
