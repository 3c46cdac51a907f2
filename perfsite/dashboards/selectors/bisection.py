"""The searches for the guilty commits, as the page of an incident shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perfsite.dashboards.formatting import change_text
from perfsite.regressions.bisection.accusing import Accusation, accusation_of, regression_accuses
from perfsite.regressions.bisection.covering import is_counted, witnesses_of
from perfsite.regressions.models import Bisection, BisectionStep, Incident, Regression
from perfsite.regressions.selectors import EXCLUDED, bisections_of, regressions_ranked
from perfsite.runs.models import Build

_SHOWN = 40  # rows of a plan; of a longer range those that were asked about come first
_WORDS = {
    "regressed": "bad",
    "partial": "partly bad",
    "same": "good",
    "unknown": "unknown",
    "failed": "not measurable",
    EXCLUDED: "cannot matter",
}
_BASES = {
    "search": "a search by itself",
    "agrees": "its own measurements at that commit and its parent",
    "elsewhere": "not the commit found by another regression: its own measurements contradict",
    "unknown": "not told by measurements of its own",
}
_STATES = {"running": "Searching", "found": "Found", "range": "Ended with a range", "stopped": "Stopped"}


@dataclass(frozen=True)
class PlanRow:
    """One commit of the plan: `word` says what is known of it, `kind` is the badge's state."""

    build: Build
    word: str
    kind: str
    change: str = ""
    sentence: str = ""
    run_id: int | None = None
    role: str = ""


@dataclass(frozen=True)
class WhomRow:
    """What the searches say of one regression: whom it accuses, and what that rests on."""

    regression: Regression
    accused: Accusation
    basis: str


def bisections_shown(*, incident: Incident) -> list[dict[str, Any]]:
    """The bisections of an incident, each with its plan and steps; the first one first."""
    shown = (_search_shown(search) for search in bisections_of(incident=incident))
    return [search for search in shown if search is not None]


def accusations_shown(*, incident: Incident) -> list[WhomRow]:
    """Whom each regression behind unmeasured commits accuses, the worst first; none without a search."""
    searches = witnesses_of(incident=incident)
    rows = [
        (row, regression_accuses(regression=row, searches=searches))
        for row in regressions_ranked(incident=incident)
    ]
    return [WhomRow(row, accused, _BASES[accused.basis]) for row, accused in rows if accused.basis]


def _search_shown(search: Bisection) -> dict[str, Any] | None:
    if search.regression.verdict.base is None:
        return None
    steps = list(search.steps.select_related("build", "job").order_by("build__ordinal", "id"))
    asked = [step for step in steps if step.job_id is not None]
    shown = steps if len(steps) <= _SHOWN else asked[:_SHOWN]
    verdict = search.regression.verdict
    change = change_text(verdict.relative, verdict.relative_low, verdict.relative_high)
    rows = [
        PlanRow(search.regression.verdict.base, "good", "same", role="last good build"),
        *(_row(step, culprit_id=search.bad_id if search.state == "found" else None) for step in shown),
        PlanRow(
            search.regression.build, "bad", "regressed", change, run_id=_run_of(verdict.job), role="accused"
        ),
    ]
    return {
        "search": search,
        "heading": _STATES.get(search.state, search.state),
        "series": search.regression.series,
        "rows": rows[::-1],
        "hidden": len(steps) - len(shown),
        "asked": len(asked),
        "ended": sum(bool(step.verdict) for step in asked),
        "is_counted": is_counted(search.regression),
        "is_running": search.state == "running",
        "may_measure": search.state in ("range", "stopped"),
    }


def accusation_shown(*, incident: Incident, worst: Regression | None) -> tuple[Accusation, str]:
    """Whom the worst regression accuses, and its sentence with the commit or the range that is meant."""
    accused = accusation_of(incident=incident)
    if worst is None:
        return accused, f"{incident.build.short} {incident.build.subject}"
    told = worst.verdict.sentence
    if searches := witnesses_of(incident=incident):  # what another regression found need not hold for this
        accused = regression_accuses(regression=worst, searches=searches)
    if told.startswith(worst.build.short):
        told = accused.label + told.removeprefix(worst.build.short)
    return accused, told


def _row(step: BisectionStep, *, culprit_id: int | None) -> PlanRow:
    role = "culprit" if step.build_id == culprit_id else ""
    run_id = _run_of(step.job)
    if step.verdict:
        kind = {"partial": "regressed", "failed": "failed", EXCLUDED: "skipped"}.get(
            step.verdict, step.verdict
        )
        change = (
            change_text(step.relative, step.relative_low, step.relative_high)
            if step.relative is not None
            else ""
        )
        word = _WORDS.get(step.verdict, step.verdict)
        return PlanRow(step.build, word, kind, change, step.sentence, run_id, role)
    if step.job is not None:
        state = "running" if step.job.state == "running" else "queued"
        return PlanRow(step.build, state, state, run_id=run_id, role=role)
    return PlanRow(step.build, "not measured", "skipped", role=role)


def _run_of(job: Any) -> int | None:
    return job.run_id if job is not None else None
