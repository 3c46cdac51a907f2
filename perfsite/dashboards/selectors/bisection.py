"""The search for the guilty commit, as the page of an incident shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perfsite.dashboards.formatting import change_text
from perfsite.regressions.models import Bisection, BisectionStep, Incident, Regression
from perfsite.regressions.selectors import EXCLUDED, Accusation, accusation_of
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


def bisection_shown(*, incident: Incident, worst: Regression | None) -> dict[str, Any] | None:
    """The bisection of an incident with its plan and steps; None when there is none."""
    search = (
        Bisection.objects.filter(regression__incident=incident)
        .select_related("regression__verdict__base", "regression__series", "regression__build")
        .first()
    )
    if search is None or search.regression.verdict.base is None:
        return None
    steps = list(search.steps.select_related("build", "job").order_by("build__ordinal", "id"))
    asked = [step for step in steps if step.job_id is not None]
    shown = steps if len(steps) <= _SHOWN else asked[:_SHOWN]
    verdict = search.regression.verdict
    change = change_text(verdict.relative, verdict.relative_low, verdict.relative_high)
    rows = [
        PlanRow(search.regression.verdict.base, "good", "same", role="last good build"),
        *(_row(step, culprit_id=incident.culprit_id) for step in shown),
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
        "is_running": search.state == "running",
        "may_measure": search.state in ("range", "stopped"),
    }


def accusation_shown(*, incident: Incident, worst: Regression | None) -> tuple[Accusation, str]:
    """Whom an incident accuses, and its sentence with the commit, or range of commits, that is meant."""
    accused = accusation_of(incident=incident)
    if worst is None:
        return accused, f"{incident.build.short} {incident.build.subject}"
    told = worst.verdict.sentence
    if told.startswith(incident.build.short):
        told = accused.label + told.removeprefix(incident.build.short)
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
