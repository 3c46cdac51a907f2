"""What pairs tell, without any process: engines, earlier pairs, what was measured besides."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from watched_repository import Repository

from benchmarks.cases import Case, ModelSource
from benchmarks.report import ArtifactRef, Environment, Measurement, Report
from benchmarks.sequential import Suspected
from workers.compare_job import job_compare
from workers.job import Job, JobFailed
from workers.messages import Order, Pair
from workers.watches import Watches, engine_digest, pair_make

CASE = Case(model="net", runner="tensorrt", suite="latency")
OTHER = CASE.model_copy(update={"runner": "onnxruntime"})
LOG = type("Log", (), {"tail": lambda self, characters: ""})()


def order_make(repository: Repository, case: Case = CASE, **changes: object) -> Order:
    step = Suspected(1.0, 1.2, 0.2, 5.0)
    fields = {"kind": "compare", "cases": (case,), "watch": ((0, "latency_p50"),), "suspected": (step,)}
    return repository.order(**(fields | changes))


def pair(number: int, ratio: float, *, engines: tuple[str, str] | None = None) -> Pair:
    values = ((0, "latency_p50", 1.0, ratio), (0, "latency_p90", 2.0, 2 * ratio))
    return Pair(number=number, values=values, engine_sha256=engines or (None, None))


def run(watches: Watches, ratios: list[float], **facts: tuple[str, str]) -> int:
    """How many of these pairs were wanted."""
    for number, ratio in enumerate(ratios):
        if not watches.cases:
            return number
        watches.take(pair(number, ratio, **facts))
    return len(ratios)


@pytest.mark.parametrize(
    ("case", "engines", "wanted"),
    [
        (CASE, None, 3),
        (CASE, ("a" * 64, "b" * 64), 3),
        (CASE, ("a" * 64, "a" * 64), 2),
        (OTHER, None, 2),
        (CASE.model_copy(update={"runner": "onnxruntime_tensorrt"}), None, 3),
    ],
)
def test_a_suspicion_of_built_engines_takes_three_pairs_unless_they_are_the_same(
    repository: Repository, case: Case, engines: tuple[str, str] | None, wanted: int
) -> None:
    """Two equal pairs refute it; the luck of one build is not to be taken for the code's."""
    watches = Watches.of(order_make(repository, case))
    facts = {"engines": engines} if engines else {}
    assert run(watches, [1.0] * 8, **facts) == wanted


def test_a_given_engine_is_not_built_and_a_counted_metric_needs_one_pair(repository: Repository) -> None:
    given = ModelSource(kind="engine", ref="model.engine")
    assert run(Watches.of(order_make(repository, source=given)), [1.0] * 8) == 2
    order = order_make(repository, watch=((0, "model_size"),), suspected=())
    watches = Watches.of(order)
    watches.take(Pair(number=0, values=((0, "model_size", 1e6, 2e6),)))
    assert watches.cases == ()


def test_pairs_taken_from_the_order_decide_as_if_they_had_just_been_run(repository: Repository) -> None:
    ratios = [1.2, 1.21, 1.19, 1.2, 1.2]
    fresh, resumed = (Watches.of(order_make(repository)) for _ in range(2))
    taken = run(fresh, ratios)
    for number in range(taken):
        resumed.take(Pair.model_validate_json(pair(number, ratios[number]).model_dump_json()))
    assert resumed.cases == fresh.cases == ()
    assert list(resumed.comparisons("")) == list(fresh.comparisons(""))
    watched, besides = fresh.comparisons("")
    assert (watched.metric, watched.verdict) == ("latency_p50", "regressed")
    assert (besides.metric, besides.verdict) == ("latency_p90", "regressed")


def test_the_orders_own_alpha_and_relevant_change_decide(repository: Repository) -> None:
    ratios = [1.2, 1.21, 1.19, 1.2, 1.2, 1.2]
    assert run(Watches.of(order_make(repository)), ratios) == 4
    assert run(Watches.of(order_make(repository, alpha=0.05)), ratios) == 3
    large = Watches.of(order_make(repository, relevant={"latency_p50": 0.5}, suspected=()))
    run(large, ratios)
    assert next(large.comparisons("")).verdict == "same"


def test_a_cases_own_relevant_change_goes_before_the_metrics(repository: Repository) -> None:
    watch = ((0, "latency_p50"), (1, "latency_p50"))
    given = {"relevant": {"latency_p50": 0.1, "latency_p90": 0.1}, "suspected": ()}
    tables = ({}, {"latency_p50": 0.5, "latency_p90": 0.5})
    order = order_make(repository, cases=(CASE, OTHER), watch=watch, case_relevant=tables, **given)
    watches = Watches.of(Order.model_validate_json(order.model_dump_json()))
    ratios = [1.2, 1.21, 1.19, 1.2, 1.2, 1.2]
    for number, ratio in enumerate(ratios):
        values = pair(number, ratio).values
        both = (*values, *((1, *row[1:]) for row in values))
        watches.take(Pair(number=number, values=both))
    told = {(row.case.runner, row.metric): row.verdict for row in watches.comparisons("")}
    assert told == {
        ("tensorrt", "latency_p50"): "regressed",
        ("tensorrt", "latency_p90"): "regressed",
        ("onnxruntime", "latency_p50"): "same",
        ("onnxruntime", "latency_p90"): "same",
    }


def test_a_pair_without_the_watched_metric_and_a_watch_without_a_case_are_refused(
    repository: Repository,
) -> None:
    watches = Watches.of(order_make(repository))
    with pytest.raises(ValueError, match="does not tell latency_p50"):
        watches.take(Pair(number=0, values=()))
    with pytest.raises(ValueError, match="names no case"):
        Watches.of(order_make(repository, watch=((3, "latency_p50"),)))


def report(case: Case, value: float, *engines: str) -> Report:
    return Report(
        created_at=datetime.now(UTC),
        generator="tests",
        model="net",
        source=ModelSource(kind="onnx", ref="m.onnx"),
        precision="fp32",
        environment=Environment(facts={}),
        onnx_sha256="c" * 64,
        measurements=(
            Measurement(case=case, metric="latency_p50", value=value, unit="s"),
            Measurement(case=case, metric="latency_cv", value=0.1, unit="1"),
        ),
        artifacts=tuple(
            ArtifactRef(name=f"{n}.engine", kind="engine", sha256=sha256, size=1)
            for n, sha256 in enumerate(engines)
        ),
    )


def test_a_pair_holds_the_judged_metrics_and_the_digests_of_both_builds(repository: Repository) -> None:
    made = pair_make(4, order_make(repository), report(CASE, 1.0, "a" * 64), report(CASE, 1.5, "b" * 64))
    assert made.values == ((0, "latency_p50", 1.0, 1.5),)
    assert (made.number, made.onnx_sha256) == (4, ("c" * 64, "c" * 64))
    assert made.engine_sha256 == ("a" * 64, "b" * 64)
    several = [engine_digest(report(CASE, 1.0, "a" * 64, sha256)) for sha256 in ("b" * 64, "d" * 64)]
    assert len({*several, "a" * 64, "b" * 64}) == 4
    assert engine_digest(report(CASE, 1.0)) is None


@pytest.mark.parametrize("path", ["/var/engines", "../engines"])
def test_an_engine_cache_that_both_builds_would_share_is_refused(
    repository: Repository, tmp_path: Path, path: str
) -> None:
    options = {"provider.trt_engine_cache_enable": True, "provider.trt_engine_cache_path": path}
    case = Case(model="net", runner="onnxruntime_tensorrt", suite="latency", options=options)
    job = Job(order_make(repository, case), tmp_path, *([None] * 4), LOG)  # type: ignore[list-item]
    with pytest.raises(JobFailed, match="measured with the engine of one"):
        job_compare(job)
