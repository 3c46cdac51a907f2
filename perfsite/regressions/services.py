"""The screen's way through what came home.  Everything may be stopped anywhere and run twice at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.utils import timezone

from perfsite.regressions.confirmation.later import suspicions_defer, suspicions_pass
from perfsite.regressions.confirmation.order import suspicions_order, suspicions_settle
from perfsite.regressions.guard import guarded
from perfsite.regressions.screening import worklist
from perfsite.regressions.screening.part import late_forget, part_screen
from perfsite.regressions.screening.project_rule import rule_of
from perfsite.regressions.screening.worklist import Place, Point
from perfsite.regressions.service_levels import levels_judge
from perfsite.results.models import Report

# series of one transaction: a tenth of a second, in which SQLite lets nobody else write
PART = 250


def reports_screen() -> int:
    """Do all that can be done now: settle comparisons, screen points, order comparisons.

    Returns how many steps were taken; 0 means that everything waits for a worker or is done.
    """
    steps = 0
    while True:
        moved = suspicions_settle()
        moved += sum(
            guarded(partial(report_screen, report=report), f"screening {report}")
            for report in worklist.reports_unscreened("measure")
        )
        moved += suspicions_order() + suspicions_defer() + suspicions_pass()
        if not moved:
            return steps
        steps += moved


def report_screen(*, report: Report) -> int:
    """Screen those points of a report whose turn it is; returns how many there were.

    The report is done when no point is left; one whose series is held up waits for the next call.
    Each part of its series is one transaction: a kill between two leaves nothing half done.
    """
    job = report.job
    guarded(partial(levels_judge, job=job), f"judging the service levels of {job}")
    points = worklist.points_judged(job_id=job.pk)
    if _states_mend(points):
        points = worklist.points_judged(job_id=job.pk)
    ahead = [point for point in points if point.is_ahead]
    if ahead and worklist.build_waits(
        build=job.run.build,
        device_class=job.device_class,
        model=job.model,
        kind=job.kind,
        behind=min(point.seen.through for point in ahead),
    ):
        return 0
    passed = [point for point in points if point.ordinal < point.seen.through]
    if passed:
        late_forget(points=passed)
    turn = [point for point in ahead if not (point.is_held or point.is_preceded)]
    rule = rule_of(project_id=job.run.build.project_id)
    parts = (turn[first : first + PART] for first in range(0, len(turn), PART))
    screened = sum(part_screen(points=part, job=job, rule=rule) for part in parts)
    if screened == len(ahead):
        Report.objects.filter(pk=report.pk, screened_at=None).update(screened_at=timezone.now())
    return screened


def _states_mend(points: Sequence[Point]) -> bool:
    """Set back the states that a force-push overtook; whether there were any."""
    stale = {point.series_id for point in points if point.is_overtaken}
    passed = {point.series_id: point.seen for point in points if not point.is_ahead}
    if passed:
        stale |= worklist.places_lost(places=passed)
    for point in points:
        if point.series_id in stale:
            _state_mend(point.series_id, point.seen)
    return bool(stale)


@transaction.atomic
def _state_mend(series_id: int, seen: Place) -> None:
    """Let a state be what the rows tell, unless another task moved it since it was `seen`."""
    state = worklist.states_lock(series_ids=[series_id])[series_id]
    if (state.screened_through, state.build_id) == seen:
        state.screened_through, state.build_id, state.level_start = worklist.state_truth(series_id=series_id)
        state.screen = {}
        state.save()
