"""Causes of confirmed changes, incidents of the environment: from reports to rows."""

from __future__ import annotations

import pytest
from django.db import connection

from perfsite.regressions.causes import causes_find
from perfsite.regressions.models import Attribution, Incident, IncidentEvent, Regression, SeriesState, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Artifact, Measurement
from perfsite.runs.models import Job
from tests.factories import case_make, job_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_job,
    compare_report,
    comparison_make,
    job_report,
)
from tests.regressions.witnessed import CPU_FACTS, build_measured, level_measured, settle, witnessed_report

pytestmark = pytest.mark.django_db


def parts_of(attribution: Attribution) -> dict[str, float]:
    return {part["cause"]: part["relative"] for part in attribution.parts if part["relative"] is not None}


def test_a_confirmed_change_of_the_code_is_attributed_to_it_once(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    found = Attribution.objects.get()
    assert found.verdict.kind == "regressed"
    parts = parts_of(found)
    assert parts["code"] == pytest.approx(0.2, abs=0.02)
    assert sum(parts.values()) == pytest.approx(found.total)
    assert found.facts["left_out"]["clock"] == "a processor's clock is not read"
    assert Incident.objects.get().kind == "code"
    assert causes_find() == 0


def test_a_canary_that_slowed_makes_an_incident_of_the_environment(project):
    level_measured(project)
    slow = build_measured(project, 9, 1.2, canary=0.012)
    settle(1.0)
    incident = Incident.objects.get()
    assert (incident.kind, incident.build, incident.range_start.ordinal) == ("environment", slow, 8)
    headline = incident.facts["headline"]
    assert "the canary, a pinned computation, took 20.0 % longer on cpu" in headline.lower()
    assert f"the code of {slow.short} is innocent" in headline
    assert "over 8 pairs, while the history of cnn shows +" in headline
    verdicts = list(Verdict.objects.filter(build=slow).order_by("id").values_list("stage", "kind"))
    assert verdicts == [("confirmation", "same"), ("environment", "regressed")]
    assert SeriesState.objects.get().level_start == 9
    assert [event.code for event in incident.events.all()] == ["opened"]
    parts = parts_of(Attribution.objects.get())
    assert parts["machine"] == pytest.approx(0.2, abs=0.03)
    assert abs(parts["code"]) < 0.01


def test_later_builds_are_judged_against_the_environments_level(project):
    level_measured(project)
    build_measured(project, 9, 1.2, canary=0.012)
    settle(1.0)
    for ordinal in range(10, 18):
        build_measured(project, ordinal, 1.2 * QUIET[ordinal % 8], canary=0.012)
        settle(1.0)
    assert Verdict.objects.filter(stage="confirmation").count() == 1
    accused = build_measured(project, 18, 1.5, canary=0.012)
    settle(1.25)
    found = Incident.objects.get(build=accused)
    assert found.kind == "code"
    assert Incident.objects.filter(kind="environment").count() == 1


def test_a_level_that_moved_for_no_known_reason_needs_two_later_builds(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.0)
    assert not Incident.objects.exists()
    build_measured(project, 10, 1.21)
    settle(1.0)
    assert not Incident.objects.exists()
    build_measured(project, 11, 1.19)
    settle(1.0)
    incident = Incident.objects.get()
    assert incident.kind == "environment"
    assert incident.build.ordinal == 9
    assert incident.facts["headline"].startswith("Something changed that no report tells on cpu")
    assert incident.regressions.count() == 1


def test_an_outlier_is_no_environment(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.0)
    for ordinal in range(10, 16):
        build_measured(project, ordinal, QUIET[ordinal % 8])
        settle(1.0)
    assert not Incident.objects.exists()
    assert Attribution.objects.get().facts["level"] == "returned"
    assert SeriesState.objects.get().level_start == 0


def test_a_new_toolchain_is_named(project):
    level_measured(project)
    build_measured(project, 9, 1.2, facts={**CPU_FACTS, "torch_version": "2.14.0"})
    settle(1.0)
    incident = Incident.objects.get()
    assert incident.facts["headline"].startswith("torch 2.13.0 → 2.14.0 on cpu; the code of")
    assert incident.facts["environment"]["differences"] == [["torch_version", "torch", "2.13.0", "2.14.0"]]


def test_an_environment_that_became_faster_moves_the_level_and_tells_nobody(project):
    level_measured(project)
    build_measured(project, 9, 0.8, canary=0.008)
    settle(1.0)
    assert not Incident.objects.exists()
    assert Verdict.objects.get(stage="environment").kind == "improved"
    assert SeriesState.objects.get().level_start == 9


def test_the_environments_part_of_a_guilty_builds_change_is_a_fact_of_its_incident(project):
    level_measured(project)
    build_measured(project, 9, 1.5, canary=0.0125)
    settle(1.2)
    incident = Incident.objects.get()
    assert incident.kind == "code"
    told = incident.facts["environments"][0]["sentence"]
    assert "is the environment's" in told
    assert incident.events.filter(code="environment", sentence=told).count() == 1
    parts = parts_of(Attribution.objects.get())
    assert parts["code"] == pytest.approx(0.225, abs=0.03)
    assert parts["machine"] == pytest.approx(0.27, abs=0.05)


def test_series_of_a_device_class_share_the_environments_incident(project):
    cases = (case_make(runner="torch"), case_make(runner="onnxruntime"))
    for ordinal, factor in enumerate([*QUIET, 1.2], start=1):
        job = job_make(build_make(project, ordinal), *cases)
        witnessed_report(job, {"latency_p50": factor}, canary=0.012 if ordinal == 9 else 0.01)
    settle(1.0)
    incident = Incident.objects.get()
    assert incident.regressions.count() == 2
    assert IncidentEvent.objects.count() == 1


def test_a_report_that_is_gone_leaves_machine_and_clock_out(project, tmp_path):
    level_measured(project)
    build_measured(project, 9, 1.2)
    for artifact in Artifact.objects.filter(kind="report"):
        (tmp_path / artifact.file.name).write_bytes(b"torn")
    settle(1.2)
    left_out = Attribution.objects.get().facts["left_out"]
    assert left_out["machine"] == "one of the two reports has no canary"


def test_a_values_of_zero_is_stored_with_the_reason_and_not_tried_again(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    regression = Regression.objects.get()
    Attribution.objects.all().delete()
    type(regression.series.points.first()).objects.filter(ordinal__lte=8).update(value=0.0)
    assert causes_find() == 1
    assert "has no ratio" in Attribution.objects.get().facts["reason"]
    assert causes_find() == 0


class KilledError(BaseException):
    """The process dies here."""


def test_killed_before_any_write_the_next_sweep_ends_the_same(project):
    """Stop at the n-th write for every n until a whole sweep passes; the outcome is always one incident."""
    level_measured(project)
    build_measured(project, 9, 1.2, canary=0.012)
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 1.0})
    reports_screen()
    for allowed in range(100):
        left = iter(range(allowed))

        def write_or_die(execute, sql, params, many, context, left=left):
            if sql.startswith(("INSERT", "UPDATE", "DELETE")) and next(left, None) is None:
                raise KilledError(sql)
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(write_or_die):
                causes_find()
        except KilledError:
            continue
        break
    assert allowed > 5
    while causes_find():
        pass
    assert Incident.objects.get().regressions.count() == 1
    assert IncidentEvent.objects.count() == 1
    assert Verdict.objects.filter(stage="environment").count() == 1
    assert Attribution.objects.get().facts["level"] == "moved"


def test_pairs_that_leave_room_for_half_the_change_acquit_nobody(project):
    """A load time doubles, which is below its grain, while the history shows a little more."""
    for ordinal, factor in enumerate(QUIET, start=1):
        witnessed_report(job_make(build_make(project, ordinal)), {"load_time": 0.08 * factor})
    for ordinal in range(9, 13):
        report = {"load_time": 0.26 * QUIET[ordinal % 8]}
        witnessed_report(job_make(build_make(project, ordinal)), report, canary=0.012)
        reports_screen()
        for job in Job.objects.filter(kind="compare", state="queued"):
            row = comparison_make(case_make(), "load_time", ratio=2.0)
            small = row.model_copy(update={"verdict": "same", "a": row.a, "b": row.b})
            job_report(job, comparisons=(small,))
        reports_screen()
        while causes_find():
            pass
    assert Verdict.objects.filter(kind="same", stage="confirmation").exists()
    assert not Verdict.objects.filter(stage="environment").exists()


def undecided(project, ordinal: int, value: float, **more: object) -> None:
    """A build whose comparison is left after two pairs: no change is far likelier than the suspected one."""
    build_measured(project, ordinal, value, **more)
    reports_screen()
    for job in Job.objects.filter(kind="compare", state="queued"):
        job_report(job, comparisons=(comparison_make(case_make(), "latency_p50", ratio=1.0, pairs=2),))
    reports_screen()
    while causes_find():
        pass


def test_pairs_that_were_left_early_acquit_too(project):
    level_measured(project)
    undecided(project, 9, 1.2, canary=0.012)
    assert Verdict.objects.get(stage="confirmation").kind == "unknown"
    assert Incident.objects.get().kind == "environment"
    assert Verdict.objects.get(stage="environment").build.ordinal == 9


def test_a_busy_machine_is_no_other_machine(project):
    """Points that were disturbed move no level by themselves."""
    level_measured(project)
    undecided(project, 9, 1.2)
    Measurement.objects.filter(ordinal=9).update(unstable=True)
    for ordinal in (10, 11, 12):
        build_measured(project, ordinal, 1.2)
        Measurement.objects.filter(ordinal=ordinal).update(unstable=True)
        settle(1.0)
    assert not Incident.objects.exists()


def test_a_change_that_the_screen_put_one_build_late_is_no_environment(project):
    """Processor time follows the slower code of the build before."""
    for ordinal, factor in enumerate(QUIET, start=1):
        witnessed_report(
            job_make(build_make(project, ordinal)), {"latency_p50": factor, "cpu_time_p50": factor}
        )
    first = build_make(project, 9)
    witnessed_report(job_make(first), {"latency_p50": 1.2, "cpu_time_p50": 1.0})
    settle(1.2)
    for ordinal in (10, 11, 12, 13):
        witnessed_report(job_make(build_make(project, ordinal)), {"latency_p50": 1.2, "cpu_time_p50": 1.2})
        settle(1.0)
    assert Verdict.objects.filter(kind="same", series__metric="cpu_time_p50", build__ordinal=10).exists()
    assert [(one.kind, one.build) for one in Incident.objects.all()] == [("code", first)]
