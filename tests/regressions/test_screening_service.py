"""From reports to suspicions, comparisons, verdicts and incidents, with the real rows and services."""

from __future__ import annotations

import pytest
from django.db import connection

from perfsite.regressions import services
from perfsite.regressions.confirmation import settling
from perfsite.regressions.models import Incident, Regression, SeriesState, Suspicion, Verdict
from perfsite.regressions.services import report_screen, reports_screen
from perfsite.results.models import Report
from perfsite.runs.models import Job
from perfsite.runs.services import job_cancel
from tests.factories import case_make, job_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_job,
    compare_report,
    history_make,
    job_attempt,
    values_report,
)

pytestmark = pytest.mark.django_db


def test_a_quiet_series_orders_nothing_and_closes_its_reports(project):
    history_make(project, QUIET)
    assert reports_screen() > 0
    assert not Suspicion.objects.exists()
    assert not Report.objects.filter(screened_at=None).exists()
    assert SeriesState.objects.get().screened_through == len(QUIET)
    assert reports_screen() == 0


def test_a_slow_build_is_compared_with_the_last_good_one(slowed):
    suspicion = Suspicion.objects.get()
    assert (suspicion.build, suspicion.base, suspicion.state) == (slowed[8], slowed[7], "open")
    job = compare_job()
    assert suspicion.job == job
    assert job.run.build == slowed[8]
    assert job.pin == "cpu-1"
    assert job.spec["base"] == slowed[7].pk
    assert job.spec["watch"] == [[0, "latency_p50"]]
    assert job.spec["cases"] == [case_make().model_dump()]
    assert not Incident.objects.exists()


def test_a_confirmed_slowdown_opens_one_incident_with_its_evidence(slowed):
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    incident = Incident.objects.get()
    assert (incident.build, incident.range_start) == (slowed[8], slowed[7])
    verdict = Regression.objects.get(incident=incident).verdict
    assert verdict.kind == "regressed"
    assert verdict.stage == "confirmation"
    assert verdict.relative == pytest.approx(0.2, abs=0.01)
    assert verdict.relative_low < 0.2 < verdict.relative_high
    assert len(verdict.evidence["a"]) == len(verdict.evidence["b"]) == 8
    assert verdict.sentence.startswith(f"{slowed[8].short} made cnn ")
    assert "slower on cpu (torch, fp32, batch 1)" in verdict.sentence
    assert "Confirmed by 8 interleaved pairs." in verdict.sentence
    assert SeriesState.objects.get().level_start == 9
    assert not Report.objects.filter(screened_at=None).exists()


def test_the_new_level_is_the_level_after_a_confirmed_change(slowed, project):
    compare_report(compare_job(), {"latency_p50": 1.2})
    history_make(project, [1.21, 1.19, 1.2], first=10)
    reports_screen()
    assert Suspicion.objects.count() == 1


def test_an_improvement_is_a_verdict_without_an_incident(project):
    builds = history_make(project, [*QUIET, 0.8])
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 0.8})
    reports_screen()
    assert Verdict.objects.get(build=builds[8], stage="confirmation").kind == "improved"
    assert not Incident.objects.exists()
    assert SeriesState.objects.get().level_start == 9


def test_a_refuted_suspicion_closes_and_the_level_stays(slowed, project):
    compare_report(compare_job(), {"latency_p50": 1.0})
    history_make(project, [1.01], first=10)
    reports_screen()
    assert Verdict.objects.get(stage="confirmation").kind == "same"
    assert SeriesState.objects.get().level_start == 0
    assert not Incident.objects.exists()
    assert not Suspicion.objects.filter(state="open").exists()


def test_a_machine_that_became_slower_is_asked_about_twice_not_for_ever(slowed, project):
    compare_report(compare_job(), {"latency_p50": 1.0})
    for ordinal in range(10, 20):
        history_make(project, [1.2 * QUIET[ordinal % 8]], first=ordinal)
        reports_screen()
        for job in Job.objects.filter(kind="compare", state="queued"):
            compare_report(job, {"latency_p50": 1.0})
            reports_screen()
    assert Suspicion.objects.count() <= 3
    assert not Suspicion.objects.filter(state="open").exists()


def test_one_comparison_for_all_suspicious_series_of_a_report(project):
    cases = (case_make(runner="torch"), case_make(runner="onnxruntime"))
    for ordinal, factor in enumerate([*QUIET, 1.25], start=1):
        build = build_make(project, ordinal)
        job = job_make(build, *cases)
        values = {"latency_p50": factor, "latency_p90": 1.1 * factor, "throughput": 1 / factor}
        values_report(job, values)
    reports_screen()
    job = compare_job()
    assert Suspicion.objects.filter(job=job).count() == 6
    # of each case the metric a person feels first; the others ride along
    assert sorted((job.spec["cases"][index]["runner"], metric) for index, metric in job.spec["watch"]) == [
        ("onnxruntime", "latency_p50"),
        ("torch", "latency_p50"),
    ]
    compare_report(job, {"latency_p50": 1.25}, besides={"latency_p90": 1.25, "throughput": 0.8})
    reports_screen()
    assert Incident.objects.get().regressions.count() == 6


def test_a_counted_metric_needs_no_comparison(project):
    builds = history_make(project, [1000.0, 1000.0, 1001.0], metric="parameter_count")
    reports_screen()
    assert not Job.objects.filter(kind="compare").exists()
    verdict = Regression.objects.get().verdict
    assert (verdict.stage, verdict.build, verdict.base) == ("screen", builds[2], builds[1])
    assert "raised the parameters of cnn by 0.10 %" in verdict.sentence


def test_a_comparison_that_failed_settles_as_unknown_with_its_reason(slowed):
    job = compare_job()
    Job.objects.filter(pk=job.pk).update(state="failed", failure="export: the model raised")
    reports_screen()
    verdict = Verdict.objects.get(stage="confirmation")
    assert verdict.kind == "unknown"
    assert "export: the model raised" in verdict.sentence
    assert not Suspicion.objects.filter(state="open").exists()
    assert not Incident.objects.exists()


def test_a_cancelled_comparison_settles_as_unknown(slowed):
    job_cancel(job=compare_job())
    reports_screen()
    assert Verdict.objects.get(stage="confirmation").kind == "unknown"


def test_a_comparison_that_lacks_a_watched_pair_settles_it_as_unknown(project):
    for ordinal, factor in enumerate([*QUIET, 1.25], start=1):
        job = job_make(build_make(project, ordinal))
        values_report(job, {"latency_p50": factor, "latency_p90": factor})
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 1.25})
    reports_screen()
    kinds = dict(Verdict.objects.filter(stage="confirmation").values_list("series__metric", "kind"))
    assert kinds == {"latency_p50": "regressed", "latency_p90": "unknown"}


def test_the_last_good_build_gone_leaves_no_suspicion_open(slowed, project):
    Job.objects.filter(kind="compare").delete()
    assert Suspicion.objects.get().job is None
    reports_screen()
    assert Suspicion.objects.get().job == compare_job()


def test_everything_twice_changes_nothing(slowed):
    report = Report.objects.get(job__run__build=slowed[8])
    assert report_screen(report=report) == 0
    compare_report(compare_job(), {"latency_p50": 1.2})
    stale = Suspicion.objects.select_related("series", "build", "base", "job").get()
    reports_screen()
    assert settling.suspicion_settle(stale) is False  # a second task that read it when it was open
    reports_screen()
    assert Incident.objects.count() == Regression.objects.count() == 1
    assert Verdict.objects.filter(stage="confirmation").count() == 1


class KilledError(BaseException):
    """The process dies here."""


def test_killed_before_any_write_the_next_run_ends_the_same(project):
    """Stop at the n-th write for every n until a whole run passes; the outcome is always one incident."""
    history_make(project, [*QUIET, 1.2])
    runs = _survive_kills()
    assert runs > 8
    assert Job.objects.filter(kind="compare").count() == 1
    compare_report(compare_job(), {"latency_p50": 1.2})
    assert _survive_kills() > 3
    assert Incident.objects.count() == Regression.objects.count() == 1
    assert Verdict.objects.filter(stage="confirmation").count() == 1
    assert not Report.objects.filter(screened_at=None).exists()


def _survive_kills() -> int:
    """Run the screen again and again, killed one write later each time; returns how often it was killed."""
    for allowed in range(500):
        left = allowed

        def write_or_die(execute, sql, params, many, context):
            nonlocal left
            if sql.startswith(("INSERT", "UPDATE")):
                if left == 0:
                    raise KilledError
                left -= 1
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(write_or_die):
                services.reports_screen()
        except KilledError:
            continue
        return allowed
    raise AssertionError("the screen never came to an end")


def test_a_running_comparison_keeps_its_suspicion_open(slowed):
    job_attempt(compare_job())
    reports_screen()
    assert Suspicion.objects.get().state == "open"


def test_what_a_comparison_told_besides_answers_a_later_suspicion(project):
    slow = len(QUIET) + 1
    tails = [*QUIET, 1.09, 1.3]  # at first the tail alone is not suspicious
    for ordinal, factor in enumerate([*QUIET, 1.25], start=1):
        job = job_make(build_make(project, ordinal))
        values_report(job, {"latency_p50": factor, "latency_p90": tails[ordinal - 1]})
    reports_screen()
    asked = compare_job()
    assert [metric for _, metric in asked.spec["watch"]] == ["latency_p50"]
    compare_report(asked, {"latency_p50": 1.25}, besides={"latency_p90": 1.2})
    reports_screen()
    values_report(job_make(build_make(project, slow + 1)), {"latency_p50": 1.25, "latency_p90": tails[-1]})
    reports_screen()
    late = Suspicion.objects.get(series__metric="latency_p90")
    assert (late.build.ordinal, late.state, late.job) == (slow, "settled", asked)
    assert Job.objects.filter(kind="compare").count() == 1
    assert Incident.objects.get().regressions.count() == 2
