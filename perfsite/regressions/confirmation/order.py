"""One comparison decides the suspicions of a build: ordering it, within what a day may cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from benchmarks.cases import Case
from benchmarks.sequential import Suspected
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.confirmation.alarms import alpha_allowed
from perfsite.regressions.confirmation.day_budget import day_spent, minutes_allowed
from perfsite.regressions.confirmation.settling import (
    FAILED,
    comparison_of,
    settle_unknown,
    suspicion_settle,
)
from perfsite.regressions.grading.rules import DEFAULTS, rule_now
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import AGAIN, Suspicion
from perfsite.regressions.screening import worklist
from perfsite.regressions.selectors import change_rank
from perfsite.results.models import Report
from perfsite.runs.cases import case_find, cases_of
from perfsite.runs.comparing import PAIRS_MOST, compare_order
from perfsite.runs.models import Build, Job
from perfsite.runs.selectors import device_alive
from perfsite.runs.states import JOB_ENDED

WAITS_LONGEST = timedelta(days=3)


def suspicions_order() -> int:
    """Order one comparison for each group of open suspicions that has none; returns how many."""
    able = Suspicion.objects.exclude(trigger__kind=Job.Kind.EXTERNAL)  # those are `later.py`'s
    waiting = able.filter(state="open", job=None).select_related("series")
    groups = groupby(sorted(waiting, key=_group_key), key=_group_key)
    return sum(
        guarded(partial(_group_order, [row.pk for row in rows]), f"ordering the comparison of {key}")
        for key, rows in groups
    )


def suspicions_settle() -> int:
    """Settle the open suspicions whose comparison has ended; returns how many.

    Also closes the reports of comparisons that nobody waits for any more.
    """
    for late in _answered_late():
        guarded(partial(_reopen, late), f"taking {late} up again")
    ended = Suspicion.objects.filter(state="open", job__state__in=JOB_ENDED)
    settled = sum(
        guarded(partial(suspicion_settle, suspicion), f"settling {suspicion}")
        for suspicion in ended.select_related("series", "build", "base", "job__report").order_by("id")
    )
    done = Report.objects.filter(kind="compare", screened_at=None)
    done.exclude(job__suspicions__state="open").update(screened_at=timezone.now())
    return settled


def _answered_late() -> QuerySet[Suspicion]:
    """Suspicions that a failed comparison settled, and which was run again and has told something since."""
    others = Suspicion.objects.filter(series_id=OuterRef("series_id"), state="open")
    failed = Suspicion.objects.filter(~Exists(others), state="settled", evidence__has_key=FAILED)
    return failed.filter(job__state="done", job__report__isnull=False).order_by("id")


def _reopen(suspicion: Suspicion) -> bool:
    """Let the answer that came after all settle it."""
    told = {name: value for name, value in suspicion.evidence.items() if name != FAILED}
    mine = Suspicion.objects.filter(pk=suspicion.pk, state="settled", evidence__has_key=FAILED)
    with transaction.atomic():  # a constraint refuses a second open one of the series
        return bool(mine.update(state="open", settled_at=None, evidence=told))


def _group_key(suspicion: Suspicion) -> tuple[int, str, str, str, int]:
    """What one comparison answers; a level that is asked about again needs its own base."""
    series = suspicion.series
    base = suspicion.base_id if AGAIN in suspicion.evidence else 0
    return suspicion.build_id, series.device_class, series.model, series.precision, base


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
    found = len(rows)
    gone = [row for row in rows if row.build.ordinal is None or row.base.ordinal is None]
    for row in gone:
        settle_unknown(row, "one of the two builds left its branch")
    rows = [row for row in rows if row not in gone and not _answer_known(row)]
    if not rows:
        return True
    now = timezone.now()
    if reason := day_spent(project_id=rows[0].build.project_id, spec=rows[0].trigger.spec, now=now):
        return _wait(rows, reason, now) or len(rows) < found
    return _comparison_order(rows)


def _comparison_order(rows: list[Suspicion]) -> bool:
    """Order the comparison of these; where it cannot be, they are settled as unknown."""
    first = rows[0]
    # a series may miss the newest good build: the nearest one that any of them knows serves all
    base = max((row.base for row in rows), key=lambda build: build.ordinal or 0)
    try:
        watch = _watch(rows)
        job = compare_order(
            base=base,
            build=first.build,
            device_class=first.series.device_class,
            pin=device_alive(job=first.trigger),
            model=first.series.model,
            precision=first.series.precision,
            watch=[(case, row.series.metric) for case, row in watch.items()],
            suspected=[_suspected(row) for row in watch.values()],
            **_policy(first, questions=len(rows)),
        )
    except PerfsiteError as error:
        for row in rows:
            settle_unknown(row, f"no comparison could be ordered: {error}")
        return True
    for row in rows:
        told = {name: value for name, value in row.evidence.items() if name != "waits"}
        Suspicion.objects.filter(pk=row.pk).update(job=job, base=base, evidence=told)
    return True


def _wait(rows: list[Suspicion], reason: str, now: datetime) -> bool:
    """Let suspicions wait for another day's budget, with the reason; True when one will not wait longer."""
    late = False
    for row in rows:
        waits = row.evidence.get("waits", {})
        since = waits.get("since", now.isoformat())
        if not minutes_allowed(row.trigger.spec):
            late |= settle_unknown(row, reason)
        elif now - datetime.fromisoformat(since) > WAITS_LONGEST:
            late |= settle_unknown(row, f"it waited {WAITS_LONGEST.days} days for a comparison: {reason}")
        elif waits.get("reason") != reason:
            told = {**row.evidence, "waits": {"reason": reason, "since": since}}
            Suspicion.objects.filter(pk=row.pk).update(evidence=told)
    return late


def _policy(first: Suspicion, *, questions: int) -> dict[str, Any]:
    """The rule's parameters for the worker; the rule's own bound of pairs goes before the file's.

    Its alpha is less than the rule's when the day's comparisons have spent what false alarms are allowed.
    """
    project_id, spec = first.build.project_id, first.trigger.spec
    rule = rule_now(project_id=project_id)
    alpha = alpha_allowed(
        rule["alpha"], questions=questions, project_id=project_id, spec=spec, now=timezone.now()
    )
    told = spec.get("confirmation", {})
    pairs = rule["max_pairs"]
    if pairs == DEFAULTS["max_pairs"]:
        pairs = told.get("max_pairs", PAIRS_MOST)
    return {"max_pairs": pairs, "alpha": alpha, "relevant": rule["relevant"]}


def _suspected(row: Suspicion) -> Suspected | None:
    """The step that the screen saw; None where it did not tell all of it."""
    told = [row.evidence.get(name) for name in ("before", "after", "relative", "score")]
    if any(not isinstance(value, int | float) or not math.isfinite(value) for value in told):
        return None
    return Suspected(*told)


def _watch(rows: list[Suspicion]) -> dict[Case, Suspicion]:
    """What the comparison must decide: of each case the metric a person feels first.

    The case's other metrics are measured in the same blocks and told besides: waiting until a
    tail is decided, too, would cost more pairs than it tells.
    """
    first: dict[Case, Suspicion] = {}
    for row in sorted(rows, key=lambda row: change_rank(row.series.metric, row.evidence["relative"])):
        first.setdefault(_case_of(row), row)
    return first


def _answer_known(suspicion: Suspicion) -> bool:
    """Whether an earlier comparison of this build decided this, besides what it was asked."""
    series = suspicion.series
    build, base = suspicion.build, suspicion.base
    line = Build.objects.filter(project_id=build.project_id, branch=build.branch)
    good = line.filter(ordinal__gte=base.ordinal, ordinal__lt=build.ordinal).in_bulk()
    if AGAIN in suspicion.evidence:  # a base nearer to the build would show less than all of the level
        good = {base.pk: base}
    done = Job.objects.filter(
        kind=Job.Kind.COMPARE,
        state="done",
        run__build_id=suspicion.build_id,
        device_class=series.device_class,
        model=series.model,
        precision=series.precision,
    )
    for job in done.select_related("report").order_by("-id"):
        if job.spec.get("purpose") == "self-test":
            continue
        comparison = comparison_of(job.report, series)
        if job.spec["base"] in good and comparison is not None and comparison.verdict != "unknown":
            Suspicion.objects.filter(pk=suspicion.pk).update(job=job, base_id=job.spec["base"])
            return True
    return False


def _case_of(suspicion: Suspicion) -> Case:
    """The case that measures what is suspected and no other point of its suite, as long as then."""
    case = case_find(cases_of(suspicion.trigger.spec), suspicion.series)
    if case is None:
        raise PerfsiteError(f"job {suspicion.trigger_id} has no case {suspicion.series.case_label}")
    return case
