"""Which points are judged, and in which order, with the real rows and services."""

from __future__ import annotations

import pytest

from perfsite.regressions.models import SeriesState, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Report, Series
from perfsite.runs.models import Build, Job
from perfsite.runs.services import job_cancel
from tests.factories import case_make, job_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_job,
    compare_report,
    history_make,
    values_report,
)

pytestmark = pytest.mark.django_db


def test_points_behind_an_open_suspicion_wait_and_go_on_after_it(slowed, project):
    history_make(project, [1.21, 1.5], first=10)
    reports_screen()
    assert SeriesState.objects.get().screened_through == 9
    assert Report.objects.filter(screened_at=None).count() == 2
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    assert SeriesState.objects.get().screened_through == 11
    opened = Suspicion.objects.get(state="open")
    assert opened.build.ordinal == 11
    assert opened.base.ordinal == 10


def test_a_point_waits_for_an_earlier_build_of_its_model(project):
    history_make(project, QUIET)
    late = job_make(build_make(project, 9))
    other_model = job_make(build_make(project, 10), case_make(model="bert"))
    head = build_make(project, 11)
    values_report(job_make(head), {"latency_p50": 1.2})
    reports_screen()
    assert SeriesState.objects.get().screened_through == 8
    values_report(late, {"latency_p50": 1.2})
    reports_screen()
    assert Suspicion.objects.get().build.ordinal == 9
    assert other_model.state == "queued"


def test_a_failed_earlier_job_holds_nobody_up(project):
    history_make(project, QUIET)
    broken = job_make(build_make(project, 9))
    history_make(project, [1.0], first=10)
    job_cancel(job=broken)
    reports_screen()
    assert SeriesState.objects.get().screened_through == 10


def test_an_unplanned_earlier_build_holds_the_later_up_until_it_was_tried(project):
    history_make(project, QUIET)
    waiting = build_make(project, None, state="received", sha="b" * 40)
    history_make(project, [1.0], first=9)
    reports_screen()
    assert not Report.objects.filter(screened_at__isnull=False).exists()
    Build.objects.filter(pk=waiting.pk).update(plan_tries=1)
    reports_screen()
    assert SeriesState.objects.get().screened_through == 9


def test_a_point_that_comes_late_is_stored_but_not_judged(project):
    history_make(project, QUIET)
    gap = build_make(project, 9, state="skipped")
    history_make(project, [1.0], first=10)
    reports_screen()
    report = values_report(job_make(gap), {"latency_p50": 3.0})
    reports_screen()
    report.refresh_from_db()
    assert report.screened_at is not None
    assert not Suspicion.objects.exists()


def test_after_a_force_push_the_new_builds_are_screened(project):
    builds = history_make(project, QUIET)
    reports_screen()
    for build in builds[5:]:
        build.points.all().delete()
        Build.objects.filter(pk=build.pk).update(ordinal=None, state="skipped")
    new = [build_make(project, place, sha=f"f{place}".ljust(40, "0")) for place in (6, 7, 8)]
    for build, value in zip(new, (1.0, 1.2, 1.21), strict=True):
        values_report(job_make(build), {"latency_p50": value})
    reports_screen()
    assert Suspicion.objects.get().build == new[1]


def test_unstable_points_widen_the_doubt(project):
    history_make(project, QUIET)
    values_report(job_make(build_make(project, 9)), {"latency_p50": 1.13}, unstable=True)
    reports_screen()
    assert not Suspicion.objects.exists()
    assert "marked unstable" in Verdict.objects.get(build__ordinal=9).sentence


def test_metrics_without_a_direction_are_never_judged(project):
    history_make(project, [0.01, 0.01, 0.9], metric="latency_cv")
    reports_screen()
    assert Series.objects.count() == 1
    assert not SeriesState.objects.exists()
    assert not Verdict.objects.exists()


def test_a_tail_of_too_few_samples_is_shown_but_not_judged(project):
    for ordinal, factor in enumerate([*QUIET, 3.0], start=1):
        job = job_make(build_make(project, ordinal))
        values_report(job, {"latency_p50": 1.0, "latency_p99": factor}, n=200)
    reports_screen()
    assert not Suspicion.objects.exists()
    assert Report.objects.filter(screened_at=None).count() == 0


def test_a_point_of_too_few_samples_holds_no_later_one_up(project):
    few = values_report(job_make(build_make(project, 1)), {"latency_p99": 1.0}, n=200)
    history_make(project, [1.0] * 5, metric="latency_p99", first=2)
    reports_screen()
    few.refresh_from_db()
    assert few.screened_at is not None
    assert not Report.objects.filter(screened_at=None).exists()


def test_build_that_left_its_branch_holds_no_suspicion_open(slowed):
    Job.objects.filter(kind="compare").delete()
    Build.objects.filter(pk=Suspicion.objects.get().build_id).update(ordinal=None)
    reports_screen()
    assert Suspicion.objects.get().state == "settled"
    assert "left its branch" in Verdict.objects.get(stage="confirmation").sentence
