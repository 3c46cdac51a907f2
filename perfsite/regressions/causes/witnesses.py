"""What an attribution is made from, gathered: the points, the pairs, the reports of both builds."""

from __future__ import annotations

from benchmarks.metrics import metric_get
from benchmarks.report import Report as Body
from perfsite.regressions.attribution import Evidence, Pairs, Witness
from perfsite.regressions.levels import level_values, values_since
from perfsite.regressions.models import Verdict
from perfsite.results.bodies import body_read
from perfsite.results.models import Environment, Measurement, Series
from perfsite.runs.cases import case_key

# runners whose every block of a comparison builds an engine of its own
REBUILT = frozenset({"tensorrt", "tensorrt_rtx", "onnxruntime_tensorrt"})

# what came after the suspect says how the level went on, not where the change came from
AFTER_POINTS = 8


def evidence_gather(*, verdict: Verdict) -> Evidence | None:
    """Everything about the change of a verdict; None when a side of it has no point (any more)."""
    series, build, base = verdict.series, verdict.build, verdict.base
    if base is None or base.ordinal is None or build.ordinal is None:
        return None
    metric = metric_get(series.metric)
    before = level_values(series_id=series.pk, base=base.ordinal, samples=metric.samples)
    after = values_since(
        series_id=series.pk, ordinal=build.ordinal, most=AFTER_POINTS, samples=metric.samples
    )
    if not before or not after:
        return None
    if metric.exact:  # counted: the two builds' own numbers, there is no noise to see through
        before, after = before[:1], after[:1]
    return Evidence(
        before=before,
        after=after,
        unit=metric.unit,
        relevant=metric.relevant,
        exact=metric.exact,
        rebuilt=series.runner in REBUILT,
        pairs=_pairs_of(verdict),
        base=witness_find(series=series, build_id=base.pk),
        suspect=witness_find(series=series, build_id=build.pk),
    )


def witness_find(*, series: Series, build_id: int) -> Witness | None:
    """What the report that brought a build's point tells of machine and toolchain; None without a point."""
    point = Measurement.objects.filter(series=series, build_id=build_id).values("job_id").first()
    if point is None:
        return None
    environment = Environment.objects.filter(reports__job_id=point["job_id"]).first()
    facts = environment.facts if environment else {}
    body = body_read(job_id=point["job_id"])
    return Witness(facts=facts) if body is None else _witness(body, series, facts)


def _witness(body: Body, series: Series, facts: dict[str, object]) -> Witness:
    clocks = (
        reading.values.get("sm_clock")
        for reading in body.readings
        if reading.case is not None and case_key(reading.case) == case_key(series)
    )
    return Witness(
        facts=facts,
        canary_s=tuple(reading.seconds for reading in body.canary),
        canary_clock=body.canary[0].clock if len({one.clock for one in body.canary}) == 1 else "",
        sm_clock_hz=tuple(clock for clock in clocks if clock),
        onnx_sha256=body.onnx_sha256 or "",
        engine_sha256=body.engine_sha256 or "",
    )


def _pairs_of(verdict: Verdict) -> Pairs | None:
    """The pairs that a comparison's verdict keeps."""
    a, b = verdict.evidence.get("a"), verdict.evidence.get("b")
    if not a or not b:
        return None
    return Pairs(a, b, verdict.relative, verdict.relative_low, verdict.relative_high)
