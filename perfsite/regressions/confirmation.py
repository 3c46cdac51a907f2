"""One comparison decides the suspicions of a build: ordering it, and settling by what came home."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from itertools import groupby
from statistics import median

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks.cases import Case
from benchmarks.report import Comparison
from perfsite.core.errors import PerfsiteError
from perfsite.regressions import worklist
from perfsite.regressions.changes import data_digest, subject_of, verdict_record
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.regressions.selectors import change_rank
from perfsite.regressions.wording import Change, confirmed_sentence, same_sentence, unknown_sentence
from perfsite.results.models import Report, Series
from perfsite.runs.cases import case_find, case_key, cases_of
from perfsite.runs.models import Attempt, Build, Job, Worker
from perfsite.runs.services import compare_order
from perfsite.runs.states import JOB_ENDED

DETECTOR = "interleaved-comparison/1"


def suspicions_order() -> int:
    """Order one comparison for each group of open suspicions that has none; returns how many."""
    waiting = Suspicion.objects.filter(state="open", job=None).select_related("series")
    groups = groupby(sorted(waiting, key=_group_key), key=_group_key)
    return sum(
        guarded(partial(_group_order, [row.pk for row in rows]), f"ordering the comparison of {key}")
        for key, rows in groups
    )


def suspicions_settle() -> int:
    """Settle the open suspicions whose comparison has ended; returns how many.

    Also closes the reports of comparisons that nobody waits for any more.
    """
    ended = Suspicion.objects.filter(state="open", job__state__in=JOB_ENDED)
    settled = sum(
        guarded(partial(_suspicion_settle, suspicion), f"settling {suspicion}")
        for suspicion in ended.select_related("series", "build", "base", "job__report").order_by("id")
    )
    done = Report.objects.filter(kind="compare", screened_at=None)
    done.exclude(job__suspicions__state="open").update(screened_at=timezone.now())
    return settled


def _group_key(suspicion: Suspicion) -> tuple[int, str, str, str]:
    series = suspicion.series
    return suspicion.build_id, series.device_class, series.model, series.precision


@transaction.atomic
def _group_order(suspicion_ids: Iterable[int]) -> bool:
    """Order the comparison of suspicions that share build, device class, model and precision.

    The rows are locked: of two tasks at once the second finds them ordered.
    """
    locked = Suspicion.objects.select_for_update(of=("self",)).filter(
        pk__in=suspicion_ids, state="open", job=None
    )
    rows = list(locked.select_related("series", "build", "base", "trigger").order_by("id"))
    if not rows or not all(worklist.suspicion_is_ready(job_id=row.trigger_id) for row in rows):
        return False
    gone = [row for row in rows if row.build.ordinal is None or row.base.ordinal is None]
    for row in gone:
        _settle_unknown(row, "one of the two builds left its branch")
    rows = [row for row in rows if row not in gone and not _answer_known(row)]
    if not rows:
        return True
    first = rows[0]
    # a series may miss the newest good build: the nearest one that any of them knows serves all
    base = max((row.base for row in rows), key=lambda build: build.ordinal or 0)
    try:
        job = compare_order(
            base=base,
            build=first.build,
            device_class=first.series.device_class,
            pin=_pin(first.trigger),
            model=first.series.model,
            precision=first.series.precision,
            watch=_watch(rows),
        )
    except PerfsiteError as error:
        for row in rows:
            _settle_unknown(row, f"no comparison could be ordered: {error}")
        return True
    Suspicion.objects.filter(pk__in=[row.pk for row in rows]).update(job=job, base=base)
    return True


def _watch(rows: list[Suspicion]) -> list[tuple[Case, str]]:
    """What the comparison must decide: of each case the metric a person feels first.

    The case's other metrics are measured in the same blocks and told besides: waiting until a
    tail is decided, too, would cost more pairs than it tells.
    """
    first: dict[Case, str] = {}
    for row in sorted(rows, key=lambda row: change_rank(row.series.metric, row.evidence["relative"])):
        first.setdefault(_case_of(row), row.series.metric)
    return list(first.items())


def _answer_known(suspicion: Suspicion) -> bool:
    """Whether an earlier comparison of this build decided this, besides what it was asked."""
    series = suspicion.series
    build, base = suspicion.build, suspicion.base
    line = Build.objects.filter(project_id=build.project_id, branch=build.branch)
    good = line.filter(ordinal__gte=base.ordinal, ordinal__lt=build.ordinal).in_bulk()
    done = Job.objects.filter(
        kind=Job.Kind.COMPARE,
        state="done",
        run__build_id=suspicion.build_id,
        device_class=series.device_class,
        model=series.model,
        precision=series.precision,
    )
    for job in done.select_related("report").order_by("-id"):
        comparison = _comparison_of(job.report, series)
        if job.spec["base"] in good and comparison is not None and comparison.verdict != "unknown":
            Suspicion.objects.filter(pk=suspicion.pk).update(job=job, base_id=job.spec["base"])
            return True
    return False


def _comparison_of(report: Report, series: Series) -> Comparison | None:
    """What a comparison's report tells of a series, None when it is silent."""
    for fields in report.comparisons:
        comparison = Comparison.model_validate(fields)
        if (case_key(comparison.case), comparison.metric) == (case_key(series), series.metric):
            return comparison
    return None


def _pin(trigger: Job) -> str:
    """The device that measured the suspect, when a worker is there to lend it; else any of its class."""
    attempt = Attempt.objects.filter(job=trigger, state="reported").select_related("worker").first()
    if attempt is None:
        return ""
    since = timezone.now() - timedelta(seconds=settings.LEASE_SECONDS)
    uuid = attempt.worker.device_uuid
    return uuid if Worker.objects.filter(device_uuid=uuid, last_seen__gte=since).exists() else ""


def _case_of(suspicion: Suspicion) -> Case:
    """The case that measures what is suspected and no other point of its suite, as long as then."""
    case = case_find(cases_of(suspicion.trigger.spec), suspicion.series)
    if case is None:
        raise PerfsiteError(f"job {suspicion.trigger_id} has no case {suspicion.series.case_label}")
    return case


def _suspicion_settle(suspicion: Suspicion) -> bool:
    """Settle one suspicion by its comparison; False when another task was first."""
    job = suspicion.job
    assert job is not None  # the query asks for ended jobs only
    report: Report | None = getattr(job, "report", None)
    if report is None:
        reason = job.failure or f"the job ended {job.state} and sent no report"
        return _settle_unknown(suspicion, f"the comparison ended without a result: {reason}")
    comparison = _comparison_of(report, suspicion.series)
    if comparison is not None:
        return _settle_compared(suspicion, comparison)
    return _settle_unknown(suspicion, _reason_missing(suspicion, report))


def _reason_missing(suspicion: Suspicion, report: Report) -> str:
    """Why the report has no comparison of this case: the worker's own words when it gave any."""
    for outcome in report.outcomes:
        if case_key(Case.model_validate(outcome["case"])) == case_key(suspicion.series):
            return f"the comparison did not decide it: {outcome['reason'] or outcome['status']}"
    return "the comparison's report does not tell of it"


def _settle_compared(suspicion: Suspicion, comparison: Comparison) -> bool:
    pairs = min(len(comparison.a), len(comparison.b))
    before, after = median(comparison.a or (0.0,)), median(comparison.b or (0.0,))
    change = Change(before, after, comparison.relative, comparison.relative_low, comparison.relative_high)
    subject = subject_of(series=suspicion.series, build=suspicion.build)
    if comparison.verdict == "unknown":
        sentence = unknown_sentence(subject, reason=comparison.sentence.rstrip("."))
    elif comparison.verdict == "same":
        sentence = same_sentence(subject, change, pairs=pairs)
    else:
        sentence = confirmed_sentence(subject, change, pairs=pairs)
    evidence = {
        "a": list(comparison.a),
        "b": list(comparison.b),
        "pairs": pairs,
        "e_value": comparison.evidence,
        "sentence": comparison.sentence,
        "screen": suspicion.evidence,
    }
    return _settle(suspicion, kind=comparison.verdict, change=change, sentence=sentence, evidence=evidence)


def _settle_unknown(suspicion: Suspicion, reason: str) -> bool:
    """Close a suspicion that nothing decided: it never stays open, and the level stays."""
    seen = suspicion.evidence
    change = Change(
        seen["before"], seen["after"], seen["relative"], seen["relative_low"], seen["relative_high"]
    )
    subject = subject_of(series=suspicion.series, build=suspicion.build)
    return _settle(
        suspicion,
        kind=Verdict.Kind.UNKNOWN,
        change=change,
        sentence=unknown_sentence(subject, reason=reason.rstrip(".")),
        evidence={"screen": seen, "reason": reason},
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
        parameters={"decides": "benchmarks.compare", "job": suspicion.job_id},
        data_sha256=data_digest(evidence.get("a", []), evidence.get("b", [])),  # type: ignore[arg-type]
    )
    return True
