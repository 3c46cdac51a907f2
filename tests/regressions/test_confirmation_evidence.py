"""What a comparison's verdict rests on: one rule, the suspected step, the digests of both builds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import Metric, format_plain
from benchmarks.sequential import Budget as Pairs
from benchmarks.sequential import SequentialTest, Suspected
from perfsite.regressions.detection import Budget, Confirmation, Told
from perfsite.regressions.detection.personas import NEARLY
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Measurement
from perfsite.results.services import report_store
from perfsite.runs.models import Job, Pair
from perfsite.runs.services import compare_order, profile_order
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
from tests.reports import report_make

SAME, OTHER = ["a" * 64, "a" * 64], ["a" * 64, "b" * 64]


@pytest.mark.parametrize(("effect", "noise"), [(0.0, 0.01), (0.05, 0.01), (0.05, 0.05), (-0.05, 0.02)])
def test_a_lease_and_a_replay_ask_for_the_same_pairs_and_say_the_same(effect, noise):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        told = Told(60, 62, 59, 60, 1.0, 1.05, 0.05, 4.0)
        replayed = Confirmation(told, better="lower", relevant=0.01, budget=Budget())
        metric = Metric("values", "The value", "", "lower", NEARLY * 0.01, 0.0, format_plain)
        step = Suspected(told.before, told.after, told.relative, told.score)
        leased = SequentialTest(metric, suspected=step, budget=Pairs(first=1))
        while not leased.is_over:
            first, second = (np.exp(noise * rng.standard_normal(2)) * [1.0, np.exp(effect)]).tolist()
            leased.take([first], [second])
            replayed.take([first], [second])
            assert replayed.is_over == leased.is_over
        assert replayed.verdict == leased.verdict


def pairs_keep(job: Job, *digests: list[list[str]]) -> None:
    """Pairs of the job as a worker sent them, each with the digests of its ONNX files and engines."""
    for number, (onnx, engine) in enumerate(digests):
        values = [
            [0, "latency_p50", 1.0, 1.2],
            [None, "onnx_sha256", *onnx],
            [None, "engine_sha256", *engine],
        ]
        Pair.objects.create(job=job, number=number, device_uuid="cpu-1", values=values)


def test_the_worker_is_told_the_step_that_is_suspected(slowed):
    (step,) = compare_job().spec["suspected"]
    seen = Suspicion.objects.get().evidence
    assert step == {name: seen[name] for name in ("before", "after", "relative", "score")}
    assert step["relative"] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("runner", "digests", "told", "words"),
    [
        ("tensorrt", [(SAME, SAME)] * 3, (True, True), "same engine, bit for bit"),
        ("tensorrt", [(SAME, OTHER), (SAME, SAME)], (True, False), ""),
        ("onnxruntime", [(SAME, [None, None])], (True, None), "same ONNX file, bit for bit"),
        ("onnxruntime_tensorrt", [(SAME, [None, None])], (True, None), ""),
        ("onnxruntime", [(OTHER, [None, None])], (False, None), ""),
        ("torch", [], (None, None), ""),
    ],
)
def test_a_verdict_says_whether_the_bits_are_the_same(project, runner, digests, told, words):
    for ordinal, factor in enumerate([*QUIET, 1.2], start=1):
        job = job_make(build_make(project, ordinal), case_make(runner=runner))
        values_report(job, {"latency_p50": factor})
    reports_screen()
    pairs_keep(compare_job(), *digests)
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    verdict = Verdict.objects.get(stage="confirmation")
    assert verdict.evidence["digests"] == dict(zip(("onnx_equal", "engine_equal"), told, strict=True))
    assert words in verdict.sentence
    assert ("suspect the environment first" in verdict.sentence) == bool(words)
    assert verdict.parameters["max_pairs"] == 20


def test_a_self_test_answers_no_suspicion(project):
    builds = history_make(project, QUIET)
    job = job_make(build_make(project, 9))
    values_report(job, {"latency_p50": 1.2})
    case = case_make()
    asked = compare_order(
        base=builds[7], build=job.run.build, device_class="cpu", pin="", model="cnn", precision="fp32",
        watch=[(case, "latency_p50")], purpose="self-test",
    )  # fmt: skip
    compare_report(asked, {"latency_p50": 1.2})
    reports_screen()
    suspicion = Suspicion.objects.get()
    assert suspicion.state == "open"
    assert suspicion.job not in (None, asked)


def test_a_profile_comes_home_without_a_point_and_is_not_screened(slowed):
    good, suspect = slowed[7:]
    points = Measurement.objects.count()
    where = {"device_class": "cpu", "model": "cnn", "precision": "fp32", "pin": ""}
    job = profile_order(base=good, build=suspect, cases=[case_make()], **where)
    body = report_make(Job(kind="measure", model="cnn", precision="fp32", spec=job.spec), {})
    assert report_store(token=job_attempt(job).token, body=body, raw=b"{}")
    reports_screen()
    job.refresh_from_db()
    assert (job.state, job.report.screened_at is None) == ("done", False)
    assert Measurement.objects.count() == points
    assert Suspicion.objects.count() == 1
