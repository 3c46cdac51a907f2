"""What a comparison's verdict rests on: the suspected step, the digests of both builds."""

from __future__ import annotations

import pytest

from benchmarks.report import Outcome
from perfsite.regressions.models import Incident, SeriesState, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Measurement
from perfsite.results.services import report_store
from perfsite.runs.comparing import compare_order, profile_order
from perfsite.runs.models import Job, Pair
from perfsite.runs.services import job_again
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


def test_a_verdict_knows_which_pairs_were_disturbed(slowed):
    job = compare_job()
    hot = "the GPU was held back by heat"
    rows = [[0, "latency_p50", 1.0, 1.2], [None, "disturbed", 0, hot]]
    Pair.objects.create(job=job, number=0, device_uuid="cpu-1", values=rows)
    compare_report(job, {"latency_p50": 1.2})
    reports_screen()
    verdict = Verdict.objects.get(stage="confirmation")
    assert (verdict.kind, verdict.evidence["disturbed"]) == ("regressed", {"0": hot})


def test_a_comparison_of_which_no_pair_counted_is_unknown_with_the_reason(slowed):
    job = compare_job()
    hot = "2 of 2 pairs were disturbed and do not count: the GPU was held back by heat"
    for number in range(2):
        rows = [[0, "latency_p50", 1.0, 1.2], [None, "disturbed", 0, hot]]
        Pair.objects.create(job=job, number=number, device_uuid="cpu-1", values=rows)
    skipped = Outcome(case=case_make(), status="skipped", reason=hot)
    body = report_make(job, {}).model_copy(update={"outcomes": (skipped,)})
    assert report_store(token=job_attempt(job).token, body=body, raw=body.model_dump_json().encode())
    reports_screen()
    verdict = Verdict.objects.get(stage="confirmation")
    assert (verdict.kind, sorted(verdict.evidence["disturbed"])) == ("unknown", ["0", "1"])
    assert hot in verdict.sentence
    assert not Incident.objects.exists()


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


def test_a_comparison_that_failed_and_is_run_again_decides_after_all(slowed):
    job = compare_job()
    Job.objects.filter(pk=job.pk).update(state="failed", failure="the worker died three times")
    reports_screen()
    suspicion = Suspicion.objects.get()
    assert (suspicion.state, Verdict.objects.get(stage="confirmation").kind) == ("settled", "unknown")
    reports_screen()
    assert job_again(job=Job.objects.get(pk=job.pk))
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    reports_screen()
    kinds = Verdict.objects.filter(stage="confirmation").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["unknown", "regressed"]
    assert Suspicion.objects.get().state == "settled"
    assert Incident.objects.get().build == slowed[8]
    assert SeriesState.objects.get().level_start == 9
