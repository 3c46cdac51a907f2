"""What a bisection orders: pairs of a commit with the good build, or the measuring of commits."""

from __future__ import annotations

from django.utils import timezone

from benchmarks.sequential import Suspected
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.bisection.search import Ask, pairs_enough
from perfsite.regressions.bisection.state import (
    BACKFILL_MOST,
    Searched,
    known_to_fail,
    measure_job,
)
from perfsite.regressions.confirmation.day_budget import minutes_spent
from perfsite.regressions.models import BisectionStep
from perfsite.regressions.selectors import case_of, incident_is_open
from perfsite.runs.backfill import Wish, backfill_order
from perfsite.runs.budget import SEARCH
from perfsite.runs.comparing import compare_order
from perfsite.runs.config_rows import ConfirmationTable
from perfsite.runs.models import Build, Job
from perfsite.runs.selectors import device_alive


def reason_to_stop(*, of: Searched) -> str:
    """Why no further run may be ordered, for people; empty when one may."""
    regression = of.bisection.regression
    if not incident_is_open(incident=regression.incident):
        return "the incident was closed"
    like = measure_job(regression=regression, build=of.accused)
    if like is None:
        return f"the job that measured {of.accused.short} is gone, so nothing tells how to measure"
    rules = _rules(like)
    if not rules.bisect:
        return "perfsite.toml says `bisect = false`"
    allowed = rules.minutes_per_day
    spent = minutes_spent(project_id=regression.incident.project_id, now=timezone.now())
    if spent >= allowed:
        told = f"the {allowed:g} minutes of device time that perfsite.toml allows a day"
        return f"{told} are spent ({spent:.0f} today)"
    if not of.metric.exact and case_of(verdict=regression.verdict) is None:
        return "the comparison that confirmed the change is gone, so nothing tells what to measure"
    return ""


def pairs_ask(*, of: Searched, step: BisectionStep) -> bool:
    """Order the comparison of a step's commit with the good build; call it with the bisection locked."""
    regression = of.bisection.regression
    verdict, series = regression.verdict, regression.series
    like = measure_job(regression=regression, build=of.accused)
    case = case_of(verdict=verdict)
    if like is None or case is None or verdict.job is None:
        raise PerfsiteError(f"{of.bisection} has nothing to order by; `reason_to_stop` says so before")
    # nothing is known of this very commit, so the step has no score: all pairs are run until one side stands
    whole = Suspected(verdict.before, verdict.after, verdict.relative, 0.0)
    job = compare_order(
        base=of.base,
        build=step.build,
        device_class=series.device_class,
        pin=device_alive(job=verdict.job),
        model=series.model,
        precision=series.precision,
        watch=[(case, series.metric)],
        suspected=[whole],
        like=like,
        purpose="bisection",
        max_pairs=_pairs(of, like),
        alpha=of.alpha,
        relevant=verdict.job.spec.get("relevant", {}),
    )
    of.bisection.steps.filter(pk=step.pk, verdict="").update(job=job)
    _bounds_note(of)
    return True


def backfill_ask(*, of: Searched, ask: Ask) -> bool:
    """Have the commits measured that may hold a counted change: all at once when they are few.

    Of more than `BACKFILL_MOST` one at a time, halving the range.
    """
    regression = of.bisection.regression
    series = regression.series
    left = BACKFILL_MOST - sum(step.job_id is not None for step in of.steps.values())
    every = (ask.commit, *ask.others)
    steps = [of.steps[commit] for commit in (every if len(every) <= left else every[:1])]
    measurable: list[Build] = []
    moved = False
    for step in steps:
        if why := known_to_fail(regression=regression, build=step.build):
            moved |= _fail(step, why)
        else:
            measurable.append(step.build)
    wish = Wish(series.device_class, series.model, series.precision, ordered_by=SEARCH)
    done = backfill_order(project=regression.incident.project, builds=measurable, wish=wish)
    refused = {build.pk: why for build, why in done.refused}
    for step in steps:
        if step.build_id in refused:
            moved |= _fail(step, refused[step.build_id])
            continue
        job = measure_job(regression=regression, build=step.build)
        moved |= bool(job and BisectionStep.objects.filter(pk=step.pk, verdict="", job=None).update(job=job))
    _bounds_note(of)
    return moved


def _rules(like: Job) -> ConfirmationTable:
    """`[confirmation]` of the accused commit; a job of an earlier release has none."""
    return ConfirmationTable.model_validate(like.spec.get("confirmation", {}))


def _pairs(of: Searched, like: Job) -> int:
    """How many pairs a step may run: as many as the confirmation's own spread asks for."""
    evidence = of.bisection.regression.verdict.evidence
    return pairs_enough(
        evidence.get("a", ()),
        evidence.get("b", ()),
        whole=of.search.whole,
        alpha=of.alpha,
        most=_rules(like).max_pairs,
    )


def _bounds_note(of: Searched) -> None:
    """Keep how far the search has closed in."""
    good, bad = of.search.bounds
    type(of.bisection).objects.filter(pk=of.bisection.pk, state="running").update(
        good=of.build(good), bad=of.build(bad)
    )


def _fail(step: BisectionStep, why: str) -> bool:
    rows = BisectionStep.objects.filter(pk=step.pk, verdict="")
    return bool(rows.update(verdict="failed", sentence=why, ended_at=timezone.now()))
