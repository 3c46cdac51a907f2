"""Pairs measured again that say there was no change: the newer verdict is appended and counts."""

from __future__ import annotations

from functools import partial
from statistics import median

from django.db import transaction
from django.db.models import Exists, OuterRef

from benchmarks.cases import Case
from benchmarks.report import Comparison
from perfsite.regressions.causes.recheck import PURPOSE as RECHECK
from perfsite.regressions.causes.recheck import SHARE
from perfsite.regressions.changes import data_digest, verdict_append
from perfsite.regressions.events import incident_locked
from perfsite.regressions.guard import guarded
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.levels import level_rebase
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.regressions.subjects import subject_of
from perfsite.regressions.wording import Change, same_sentence
from perfsite.results.models import Report, Series
from perfsite.runs.cases import case_key
from perfsite.runs.models import Build, Job

DETECTOR = "interleaved-comparison/1"


def comparisons_reread() -> int:
    """Append what later comparisons of accused builds refute; returns how many verdicts there were."""
    again = Job.objects.filter(
        kind=Job.Kind.COMPARE,
        state="done",
        run__build_id=OuterRef("build_id"),
        id__gt=OuterRef("verdict__job_id"),
        device_class=OuterRef("series__device_class"),
        model=OuterRef("series__model"),
        precision=OuterRef("series__precision"),
    )
    rows = Regression.objects.filter(
        Exists(again),
        incident__kind=Incident.Kind.CODE,
        incident__withdrawn_at=None,
        incident__state__in=OPEN_STATES,
        verdict__stage="confirmation",
        build__ordinal__isnull=False,
    ).select_related("series", "build", "verdict")
    later = _jobs_later({row.build_id for row in rows})
    return sum(
        guarded(partial(_refute, row, job), f"reading {job} again for {row}")
        for row in rows
        for job in later.get(row.build_id, ())
        if job.pk > (row.verdict.job_id or 0) and _is_about(job, row.series)
    )


def _jobs_later(build_ids: set[int]) -> dict[int, list[Job]]:
    """The comparisons of each build that ended with a report, the oldest first."""
    jobs = Job.objects.filter(kind=Job.Kind.COMPARE, state="done", run__build_id__in=build_ids)
    found: dict[int, list[Job]] = {}
    for job in jobs.select_related("run", "report").order_by("id"):
        found.setdefault(job.run.build_id, []).append(job)
    return found


def _is_about(job: Job, series: Series) -> bool:
    where = (job.device_class, job.model, job.precision)
    return where == (series.device_class, series.model, series.precision)


@transaction.atomic
def _refute(regression: Regression, job: Job) -> bool:
    """Append `same` when a later comparison refutes it; once for a comparison.

    A base that is not older says nothing about it.
    """
    series, build, first = regression.series, regression.build, regression.verdict
    report: Report | None = getattr(job, "report", None)
    compared = report and _comparison_find(report, series)
    base = Build.objects.filter(pk=job.spec.get("base"), ordinal__lt=build.ordinal).first()
    if not compared or base is None or not _is_refuting(compared, first, job):
        return False
    pairs = min(len(compared.a), len(compared.b))
    incident_locked(incident_id=regression.incident_id)
    if Verdict.objects.filter(series=series, build=build, job=job).exists():
        return False
    change = Change(
        median(compared.a),
        median(compared.b),
        compared.relative,
        compared.relative_low,
        compared.relative_high,
    )
    verdict_append(
        series=series,
        build=build,
        base=base,
        job=job,
        change=change,
        kind=Verdict.Kind.SAME,
        stage="confirmation",
        evidence={"a": list(compared.a), "b": list(compared.b), "pairs": pairs, "refutes": first.pk},
        sentence=same_sentence(subject_of(series=series, build=build), change, pairs=pairs),
        detector=DETECTOR,
        parameters={"decides": "benchmarks.compare", "job": job.pk},
        data_sha256=data_digest(compared.a, compared.b),
    )
    level_rebase(series_id=series.pk)
    return True


def _is_refuting(compared: Comparison, first: Verdict, job: Job) -> bool:
    """Whether a comparison takes an earlier verdict back.

    One that was ordered for something else does with `same` over at least as many pairs.  A repetition
    was ordered because the change is doubted: `same` is enough, or an interval without room for half of it.
    """
    if job.spec.get("purpose") != RECHECK:
        pairs = min(len(compared.a), len(compared.b))
        return compared.verdict == Verdict.Kind.SAME and pairs >= first.evidence.get("pairs", 0)
    low, high = compared.relative_low, compared.relative_high
    if compared.verdict == Verdict.Kind.SAME:
        return True
    if compared.verdict == Verdict.Kind.REGRESSED or low is None or high is None or not first.relative:
        return False
    return max(low / first.relative, high / first.relative) < SHARE


def _comparison_find(report: Report, series: Series) -> Comparison | None:
    for fields in report.comparisons:
        case = Case.model_validate(fields["case"])
        if (case_key(case), fields["metric"]) == (case_key(series), series.metric):
            return Comparison.model_validate(fields)
    return None
