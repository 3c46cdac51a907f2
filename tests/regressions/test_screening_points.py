"""Suspicions about points of a suite, a repository's own metrics, and metrics that may be zero."""

from __future__ import annotations

import pytest

from benchmarks.cases import Case
from benchmarks.compare import compare_pairs
from benchmarks.metrics import metric_get
from perfsite.dashboards.selectors.incidents import regressions_of, verdict_evidence
from perfsite.regressions.models import Incident, Regression, Suspicion, Verdict
from perfsite.regressions.selectors import case_of
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Series
from perfsite.runs.models import Job
from tests.factories import case_make, job_make, project_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_report,
    history_make,
    job_report,
    measured_make,
)

pytestmark = pytest.mark.django_db

SWEEP = case_make(suite="sweep", duration_s=3.0)
SIZES = (224, 384, 512)


@pytest.fixture
def project(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return project_make()


def sweeps_make(project, factors) -> None:
    """A build for each factor; the factor slows the size 384 alone."""
    for ordinal, factor in enumerate(factors, start=1):
        job = job_make(build_make(project, ordinal), SWEEP)
        points = tuple(
            measured_make(
                SWEEP.at(size=size),
                "latency_p50",
                size * QUIET[ordinal % len(QUIET)] * (factor if size == 384 else 1.0),
            )
            for size in SIZES
        )
        job_report(job, measurements=points)


def test_a_doubted_point_is_confirmed_by_measuring_that_point_alone(project):
    sweeps_make(project, [*([1.0] * 8), 1.25])
    reports_screen()
    assert Suspicion.objects.get().series.shape == "b1,size=384"
    job = Job.objects.get(kind="compare")
    assert job.spec["cases"] == [SWEEP.at(size=384).model_dump()]
    assert job.spec["watch"] == [[0, "latency_p50"]]
    compare_report(job, {"latency_p50": 1.25})
    reports_screen()
    incident = Incident.objects.get()
    (regression,) = regressions_of(incident=incident)
    assert "(torch, fp32, batch 1, size 384)" in regression.verdict.sentence
    assert verdict_evidence(regression=regression).pairs == 8
    assert case_of(verdict=regression.verdict) == SWEEP.at(size=384)


def test_two_doubted_points_are_two_cases_of_one_comparison(project):
    for ordinal, factor in enumerate([*([1.0] * 8), 1.3], start=1):
        job = job_make(build_make(project, ordinal), SWEEP)
        level = QUIET[ordinal % len(QUIET)]
        told = (
            measured_make(SWEEP.at(size=size), "latency_p50", level * (factor if size > 224 else 1.0))
            for size in SIZES
        )
        job_report(job, measurements=tuple(told))
    reports_screen()
    cases = [Case.model_validate(fields) for fields in Job.objects.get(kind="compare").spec["cases"]]
    assert sorted(case.shape for case in cases) == ["b1,size=384", "b1,size=512"]


def test_a_repositorys_own_metric_is_judged_in_its_direction(project):
    history_make(project, [*(30 * value for value in QUIET), 24.0], metric="evaluate.higher.bleu")
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {"evaluate.higher.bleu": 0.8})
    reports_screen()
    assert "lowered the bleu of cnn by" in Regression.objects.get().verdict.sentence


def test_a_better_score_opens_no_incident(project):
    history_make(project, [*(30 * value for value in QUIET), 36.0], metric="evaluate.higher.bleu")
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {"evaluate.higher.bleu": 1.2})
    reports_screen()
    assert Verdict.objects.get(stage="confirmation").kind == "improved"
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("metric", "values", "suspected"),
    [
        ("server_error_rate", [0.0] * 10, False),
        ("server_error_rate", [0.0] * 8 + [0.0004, 0.0], False),
        ("server_error_rate", [0.0] * 8 + [0.05], True),
        ("accuracy_cosine_distance", [0.0] * 8 + [1e-9], False),
        ("accuracy_cosine_distance", [0.0] * 8 + [1e-2], True),
        ("accuracy_cosine_distance", [3e-8] * 8 + [0.0], False),
        ("evaluate.higher.log_likelihood", [-2.0 * value for value in QUIET] + [-3.0], True),
        ("evaluate.higher.log_likelihood", [-2.0 * value for value in QUIET] + [-2.0], False),
    ],
)
def test_metrics_of_zero_or_below_are_screened(project, metric, values, suspected):
    history_make(project, values, metric=metric)
    reports_screen()
    assert Suspicion.objects.exists() == suspected
    assert Series.objects.count() == 1


def test_a_comparison_settles_what_scatters_about_zero(project):
    """There relative noise means little, so the screen may doubt; pairs of differences do not."""
    history_make(
        project, [0.01, -0.01, 0.0, 0.01, -0.01, 0.0, 0.01, -0.02, 0.03], metric="evaluate.lower.bias"
    )
    reports_screen()
    job = Job.objects.filter(kind="compare").first()
    assert job is not None
    metric = metric_get("evaluate.lower.bias")
    a, b = [0.01, -0.01, 0.0, 0.01, -0.01, 0.0], [0.0, 0.01, -0.01, 0.0, 0.01, -0.01]
    case = Case.model_validate(job.spec["cases"][0])
    found = compare_pairs(a, b, metric=metric, final=True)
    job_report(job, comparisons=(found.as_comparison(case, metric, a, b),))
    reports_screen()
    assert Verdict.objects.get(stage="confirmation").kind == "unknown"
    assert not Incident.objects.exists()


def test_a_leak_from_none_to_one_is_certain_by_one_report(project):
    builds = history_make(project, [0.0, 0.0, 0.0, 1.0], metric="leaks")
    reports_screen()
    verdict = Regression.objects.get().verdict
    assert (verdict.stage, verdict.build, verdict.base) == ("screen", builds[3], builds[2])
    assert "raised the counters that leak of cnn from 0 to 1" in verdict.sentence
