"""Settling a suspicion: by its comparison's report, or as unknown with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from django.db import transaction
from django.utils import timezone

from benchmarks.cases import Case
from benchmarks.report import Comparison
from perfsite.regressions.changes import data_digest, subject_of, verdict_record
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.regressions.wording import Change, confirmed_sentence, same_sentence, unknown_sentence
from perfsite.results.models import Report, Series
from perfsite.runs.cases import case_key
from perfsite.runs.models import Job
from perfsite.runs.pairs import digests_compare, pairs_disturbed, pairs_of

FAILED = "failed"  # in a suspicion's evidence: its comparison sent no report
DETECTOR = "interleaved-comparison/2"
_SAME_BITS = "Both builds ran the same {}, bit for bit: suspect the environment first."
_TOLD = ("alpha", "relevant", "max_pairs", "suspected", "watch")


def suspicion_settle(suspicion: Suspicion) -> bool:
    """Settle one suspicion by its comparison; False when another task was first."""
    job = suspicion.job
    assert job is not None  # the query asks for ended jobs only
    report: Report | None = getattr(job, "report", None)
    if report is None:
        reason = job.failure or f"the job ended {job.state} and sent no report"
        with transaction.atomic():
            evidence = {**suspicion.evidence, FAILED: True}
            Suspicion.objects.filter(pk=suspicion.pk, state="open").update(evidence=evidence)
            return settle_unknown(suspicion, f"the comparison ended without a result: {reason}")
    comparison = comparison_of(report, suspicion.series)
    if comparison is not None:
        return _settle_compared(suspicion, job, comparison)
    return settle_unknown(suspicion, _reason_missing(suspicion, report), **_disturbed(suspicion, job))


def _reason_missing(suspicion: Suspicion, report: Report) -> str:
    """Why the report has no comparison of this case: the worker's own words when it gave any."""
    for outcome in report.outcomes:
        if case_key(Case.model_validate(outcome["case"])) == case_key(suspicion.series):
            return f"the comparison did not decide it: {outcome['reason'] or outcome['status']}"
    return "the comparison's report does not tell of it"


def _settle_compared(suspicion: Suspicion, job: Job, comparison: Comparison) -> bool:
    pairs = min(len(comparison.a), len(comparison.b))
    before, after = median(comparison.a or (0.0,)), median(comparison.b or (0.0,))
    change = Change(before, after, comparison.relative, comparison.relative_low, comparison.relative_high)
    subject = subject_of(series=suspicion.series, build=suspicion.build)
    digests = digests_compare(pairs_of(job=job))
    bits = _bits_words(suspicion.series.runner, digests)
    if comparison.verdict == "unknown":
        sentence = unknown_sentence(subject, reason=comparison.sentence.rstrip("."))
    elif comparison.verdict == "same":
        sentence = same_sentence(subject, change, pairs=pairs)
    else:
        sentence = f"{confirmed_sentence(subject, change, pairs=pairs)} {bits}".rstrip()
    evidence = {
        "a": list(comparison.a),
        "b": list(comparison.b),
        "pairs": pairs,
        "e_value": comparison.evidence,
        "sentence": comparison.sentence,
        "screen": suspicion.evidence,
        "digests": digests,
        "bits": bits,
        **_disturbed(suspicion, job),
    }
    return _settle(suspicion, kind=comparison.verdict, change=change, sentence=sentence, evidence=evidence)


def _disturbed(suspicion: Suspicion, job: Job) -> dict[str, dict[int, str]]:
    """The pairs that were run and did not count, by number and with the reason; empty where all did."""
    cases = [case_key(Case.model_validate(fields)) for fields in job.spec["cases"]]
    key = case_key(suspicion.series)
    if key not in cases:
        return {}
    found = pairs_disturbed(pairs_of(job=job), index=cases.index(key))
    return {"disturbed": found} if found else {}


def _bits_words(runner: str, digests: Mapping[str, bool | None]) -> str:
    """Same bits, same speed: what is said where both builds ran the very same file; else empty.

    An engine is rebuilt from equal ONNX files, and may differ.  Without a file nothing is known.
    """
    if "tensorrt" in runner:
        return _SAME_BITS.format("engine") if digests["engine_equal"] else ""
    return _SAME_BITS.format("ONNX file") if digests["onnx_equal"] and runner == "onnxruntime" else ""


def settle_unknown(suspicion: Suspicion, reason: str, **more: object) -> bool:
    """Close a suspicion that nothing decided: it never stays open, and the level stays.

    `more` goes into the verdict's evidence.
    """
    seen = suspicion.evidence
    change = Change(
        seen["before"], seen["after"], seen["relative"], seen.get("relative_low"), seen.get("relative_high")
    )
    subject = subject_of(series=suspicion.series, build=suspicion.build)
    return _settle(
        suspicion,
        kind=Verdict.Kind.UNKNOWN,
        change=change,
        sentence=unknown_sentence(subject, reason=reason.rstrip(".")),
        evidence={"screen": seen, "reason": reason, **more},
    )


@transaction.atomic
def _settle(
    suspicion: Suspicion, *, kind: str, change: Change, sentence: str, evidence: dict[str, object]
) -> bool:
    """Settle and append the verdict, both or none; False when another task settled it first."""
    moved = Suspicion.objects.filter(pk=suspicion.pk, state="open").update(
        state="settled", settled_at=timezone.now()
    )
    if not moved:
        return False
    verdict_record(
        series=suspicion.series,
        build=suspicion.build,
        base=suspicion.base,
        job_id=suspicion.job_id,
        change=change,
        kind=kind,
        stage="confirmation",
        evidence=evidence,
        sentence=sentence,
        detector=DETECTOR,
        parameters={"decides": "benchmarks.sequential", "job": suspicion.job_id, **_rule_of(suspicion.job)},
        data_sha256=data_digest(evidence.get("a", []), evidence.get("b", [])),  # type: ignore[arg-type]
    )
    return True


def _rule_of(job: Job | None) -> dict[str, Any]:
    """What the comparison was told to decide by."""
    return {name: job.spec[name] for name in _TOLD if name in job.spec} if job else {}


def comparison_of(report: Report, series: Series) -> Comparison | None:
    """What a comparison's report tells of a series, None when it is silent."""
    for fields in report.comparisons:
        comparison = Comparison.model_validate(fields)
        if (case_key(comparison.case), comparison.metric) == (case_key(series), series.metric):
            return comparison
    return None
