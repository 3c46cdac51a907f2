"""Doubt about a confirmed change: both builds are measured once more, and that may take it back."""

from __future__ import annotations

import pytest
from django.utils import timezone

from benchmarks.report import Outcome
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.causes import causes_find
from perfsite.regressions.causes.recheck import incident_recheck
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Job
from tests.factories import case_make, job_make
from tests.regressions.builders import QUIET, build_make, compare_report, job_report
from tests.regressions.witnessed import build_measured, level_measured, settle, witnessed_report

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(project) -> Incident:
    """The ninth build is 20 % slower, as pairs said."""
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    return Incident.objects.get()


def repeated() -> Job:
    """The one comparison that was ordered because of the doubt."""
    return Job.objects.get(kind="compare", spec__purpose="recheck")


def go_back(project) -> None:
    """Four builds at the old level; where the screen asks, their code is innocent."""
    for ordinal in range(10, 14):
        build_measured(project, ordinal, QUIET[ordinal % 8])
        settle_all_but_repeats()


def settle_all_but_repeats() -> None:
    """As `settle`, but the repeated comparison waits."""
    reports_screen()
    for job in Job.objects.filter(kind="compare", state="queued").exclude(spec__purpose="recheck"):
        compare_report(job, {metric: 1.0 for _, metric in job.spec["watch"]})
    reports_screen()
    while causes_find():
        pass


def test_points_that_went_back_have_the_builds_compared_again_and_the_incident_withdrawn(project, incident):
    go_back(project)
    job = repeated()
    assert (job.spec["base"], job.run.build_id) == (incident.range_start_id, incident.build_id)
    assert job.spec["max_pairs"] >= 8
    compare_report(job, {"latency_p50": 1.0})
    while causes_find():
        pass
    incident.refresh_from_db()
    assert incident.withdrawn_at is not None
    assert [event.code for event in incident.events.order_by("id")] == [
        "opened",
        "recheck",
        "rechecked",
        "withdrawn",
    ]


def test_a_repetition_that_agrees_leaves_it_standing_and_is_not_ordered_again(project, incident):
    go_back(project)
    compare_report(repeated(), {"latency_p50": 1.2})
    build_measured(project, 14, 1.0)
    settle_all_but_repeats()
    incident.refresh_from_db()
    assert incident.withdrawn_at is None
    assert "Measured again: " in incident.facts["recheck"]["told"]
    assert repeated().state == "done"


def test_a_repetition_whose_pairs_were_all_disturbed_says_so(project, incident):
    go_back(project)
    job = repeated()
    hot = "8 of 8 pairs were disturbed and do not count"
    skipped = Outcome(case=job.spec["cases"][0], status="skipped", reason=hot)
    job_report(job, outcomes=(skipped,))
    while causes_find():
        pass
    incident.refresh_from_db()
    assert incident.facts["recheck"]["told"] == f"Measured again: {hot}"
    assert incident.withdrawn_at is None


def test_points_that_stayed_are_no_doubt(project, incident):
    for ordinal in range(10, 15):
        build_measured(project, ordinal, 1.2 * QUIET[ordinal % 8])
        settle_all_but_repeats()
    assert "recheck" not in Incident.objects.get().facts
    assert not Job.objects.filter(spec__purpose="recheck").exists()


def test_a_commit_that_mended_it_is_no_doubt(project, incident):
    build_measured(project, 10, 1.0)
    settle(1 / 1.2)
    for ordinal in range(11, 16):
        build_measured(project, ordinal, QUIET[ordinal % 8])
        settle_all_but_repeats()
    assert not Job.objects.filter(spec__purpose="recheck").exists()


def test_a_person_may_ask_as_often_as_nothing_waits(incident):
    job = incident_recheck(incident=incident, actor="ada")
    assert "ada asks for it" in incident.events.get(code="recheck").sentence
    with pytest.raises(PerfsiteError, match="already"):
        incident_recheck(incident=incident, actor="ada")
    compare_report(job, {"latency_p50": 1.2})
    causes_find()
    assert incident_recheck(incident=incident, actor="bob") != job


def test_without_minutes_the_person_is_told_and_the_sweep_waits(project, incident):
    compared = Job.objects.get(kind="compare")
    Job.objects.filter(pk=compared.pk).update(spec={**compared.spec, "confirmation": {"minutes_per_day": 0}})
    with pytest.raises(PerfsiteError, match="minutes_per_day"):
        incident_recheck(incident=incident, actor="ada")
    go_back(project)
    assert not Job.objects.filter(spec__purpose="recheck").exists()
    assert "recheck" not in Incident.objects.get().facts


def test_a_regression_that_joins_after_the_message_is_shown_and_told_to_nobody(project):
    cases = (case_make(runner="torch"), case_make(runner="onnxruntime"))
    for ordinal, factor in enumerate(QUIET, start=1):
        witnessed_report(job_make(build_make(project, ordinal), *cases), {"latency_p50": factor})
    guilty = build_make(project, 9)
    for case in cases:
        witnessed_report(job_make(guilty, case), {"latency_p50": 1.2})
        settle(1.2)
        Incident.objects.filter(told_at=None).update(told_at=timezone.now())
    incident = Incident.objects.get()
    assert Regression.objects.filter(incident=incident).count() == 2
    joined = incident.events.get(code="joined").sentence
    assert joined.startswith("Joined after it was told: ")
    assert "onnxruntime" in joined
