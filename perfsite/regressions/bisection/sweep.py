"""Searching the commits of a range for the guilty one.  It may be stopped anywhere and run twice at once.

(due) --> running --+--> found       culprit and parent were measured
                    +--> range       noise, failures or a shared guilt forbid a name
                    +--> stopped     disabled, the budget spent, the incident closed, a force-push
range, stopped --> found             a counted metric's late points show it after all
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from perfsite.regressions.bisection.due import regression_due
from perfsite.regressions.bisection.end import search_end, search_found, search_stop
from perfsite.regressions.bisection.opening import bisection_open
from perfsite.regressions.bisection.order import backfill_ask, pairs_ask, reason_to_stop
from perfsite.regressions.bisection.search import Answer, Ask, Found
from perfsite.regressions.bisection.state import Searched, known_to_fail, searched, step_learnt
from perfsite.regressions.guard import guarded
from perfsite.regressions.incident_states import ACCUSING_STATES
from perfsite.regressions.models import Bisection, BisectionStep, Incident
from perfsite.regressions.selectors import (
    build_is_judged,
    incident_is_open,
)
from perfsite.results.models import Measurement

_REACH = timedelta(days=30)  # older incidents are history
_GATHERED = timedelta(minutes=10)  # by then the regressions of a build are known, whatever is still open
_RELATED = ("hint", "regression__incident__project", "regression__series", "regression__verdict__base")


def bisections_step() -> int:
    """Open, settle, ask and end searches until everything waits for a worker; returns how many steps."""
    total = 0
    while moved := _pass():
        total += moved
    return total


def _pass() -> int:
    moved = sum(guarded(partial(_open, row), f"bisecting {row}") for row in _incidents_due())
    running = Bisection.objects.filter(state="running").order_by("id")
    moved += sum(guarded(partial(_advance, row.pk), f"advancing {row}") for row in running)
    return moved + sum(guarded(partial(_reopen, row), f"late points of {row}") for row in _overtaken())


def _incidents_due() -> QuerySet[Incident]:
    """Open incidents with a regression that no search went by, behind commits that were not measured."""
    rows = Incident.objects.filter(
        kind=Incident.Kind.CODE,
        state__in=ACCUSING_STATES,
        withdrawn_at=None,
        opened_at__gte=timezone.now() - _REACH,
        regressions__verdict__base__ordinal__lt=F("regressions__build__ordinal") - 1,
        regressions__bisection=None,
    )
    running = Bisection.objects.filter(regression__incident=OuterRef("pk"), state="running")
    return rows.exclude(Exists(running)).select_related("build", "project").distinct().order_by("id")


def _open(incident: Incident) -> bool:
    """Begin the next search."""
    regression = regression_due(incident=incident)
    ripe = incident.opened_at <= timezone.now() - _GATHERED or build_is_judged(build=incident.build)
    if regression is None or regression.verdict.base is None or not ripe:
        return False
    opened = bisection_open(
        regression=regression, is_due=lambda locked: regression_due(incident=locked) == regression
    )
    return opened is not None


def _advance(bisection_id: int) -> bool:
    """Settle what ended, then ask for the next commit or end; True when anything moved."""
    bisection = Bisection.objects.select_related(*_RELATED).get(pk=bisection_id)
    moved = _steps_settle(bisection, open_verdicts=("",))
    state = searched(bisection=bisection)
    if (
        state is not None and state.metric.exact and bisection.state == "running"
    ):  # reads git, so not under the lock; ordered twice it is once
        ask = state.search.next()
        if isinstance(ask, Ask) and not _waits(state) and not reason_to_stop(of=state):
            return backfill_ask(of=state, ask=ask) or moved
    with transaction.atomic():
        locked = Bisection.objects.select_for_update(of=("self",)).select_related(*_RELATED)
        bisection_now = locked.filter(pk=bisection_id, state="running").first()
        return bool(bisection_now and _locked_advance(bisection_now)) or moved


def _locked_advance(bisection: Bisection) -> bool:
    """Ask or end; call it with the row locked, so that of two tasks the second sees what the first did."""
    state = searched(bisection=bisection)
    if state is None:
        return search_stop(bisection=bisection, why="a force-push took one of the commits off the branch")
    if not incident_is_open(incident=bisection.regression.incident):
        return search_stop(bisection=bisection, why="the incident was closed", of=state)
    if _waits(state):
        return False
    answer = state.search.next()
    if not isinstance(answer, Ask):
        return search_end(of=state, answer=answer)
    if why := reason_to_stop(of=state):
        return search_stop(bisection=bisection, why=why, of=state)
    if state.metric.exact:
        return False  # the next pass asks for it
    step = state.steps[answer.commit]
    if why := known_to_fail(regression=bisection.regression, build=step.build):
        return _settle(step, Answer("failed"), why)
    return pairs_ask(of=state, step=step)


def _waits(state: Searched) -> bool:
    return any(step.job_id is not None and not step.verdict for step in state.steps.values())


def _steps_settle(bisection: Bisection, *, open_verdicts: tuple[str, ...]) -> bool:
    """Write down what the steps' jobs told meanwhile; True when there was anything."""
    state = searched(bisection=bisection)
    if state is None:
        return False
    moved = False
    for step in state.steps.values():
        if step.verdict in open_verdicts:
            learnt = step_learnt(of=state, step=step)
            if learnt is not None and learnt.answer.kind != step.verdict:
                moved |= _settle(step, learnt.answer, learnt.sentence)
    return moved


def _settle(step: BisectionStep, answer: Answer, sentence: str) -> bool:
    """Settle one step; False when another task settled it first."""
    mine = BisectionStep.objects.filter(pk=step.pk, verdict=step.verdict)
    return bool(
        mine.update(
            verdict=answer.kind,
            relative=answer.relative,
            relative_low=answer.low,
            relative_high=answer.high,
            sentence=sentence,
            ended_at=timezone.now(),
        )
    )


def _overtaken() -> QuerySet[Bisection]:
    """Ended searches for a counted change without a name, of whose commits a point has come home since."""
    point = Measurement.objects.filter(
        series_id=OuterRef("bisection__regression__series_id"), build_id=OuterRef("build_id")
    )
    steps = BisectionStep.objects.filter(Exists(point), verdict__in=("", "failed"))
    late = steps.filter(
        bisection__state__in=("range", "stopped"), bisection__regression__verdict__stage="screen"
    )
    return Bisection.objects.filter(pk__in=late.values("bisection_id")).select_related(*_RELATED)


def _reopen(bisection: Bisection) -> bool:
    """Take the late points in, and name the culprit when they show one: the accusation moves."""
    moved = _steps_settle(bisection, open_verdicts=("", "failed"))
    state = searched(bisection=bisection)
    if state is None or not incident_is_open(incident=bisection.regression.incident):
        return moved
    answer = state.search.next()
    return (isinstance(answer, Found) and search_found(of=state, answer=answer)) or moved
