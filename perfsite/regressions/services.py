"""The screen's way through what came home.  Everything may be stopped anywhere and run twice at once."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from django.db import transaction
from django.utils import timezone

from benchmarks.metrics import metric_get
from perfsite.regressions import worklist
from perfsite.regressions.changes import data_digest, subject_of, verdict_record
from perfsite.regressions.confirmation import suspicions_order, suspicions_settle
from perfsite.regressions.detection import Screening, screen
from perfsite.regressions.guard import guarded
from perfsite.regressions.models import SeriesState, Suspicion
from perfsite.regressions.wording import Change, exact_sentence, screen_reason, unknown_sentence
from perfsite.results.models import Measurement, Report
from perfsite.runs.models import Build


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
        moved += suspicions_order()
        if not moved:
            return steps
        steps += moved


@transaction.atomic
def report_screen(*, report: Report) -> int:
    """Screen those points of a report whose turn it is; returns how many there were.

    The report is done when no point is left; one whose series is held up waits for the next call.
    """
    points = worklist.points_judged(job_id=report.job_id)
    ids = [point.series_id for point in points]
    states = worklist.states_get(series_ids=ids)
    for point in points:
        _state_mend(states[point.series_id], point)
    ahead = [p for p in points if p.ordinal > states[p.series_id].screened_through]
    job = report.job
    if ahead and worklist.build_waits(
        build=job.run.build,
        device_class=job.device_class,
        model=job.model,
        behind=min(states[point.series_id].screened_through for point in ahead),
    ):
        return 0
    suspected = worklist.series_suspected(series_ids=ids)
    screened = [
        point.series_id not in suspected and _point_screen(point, states[point.series_id]) for point in ahead
    ]
    if all(screened):
        Report.objects.filter(pk=report.pk, screened_at=None).update(screened_at=timezone.now())
    return sum(screened)


def _state_mend(state: SeriesState, point: Measurement) -> None:
    """Set a state back that a force-push overtook: only then a stale one hides a new point."""
    if point.ordinal > state.screened_through or not worklist.state_is_stale(state=state):
        return
    state.screened_through, state.build_id, state.level_start = worklist.state_truth(
        series_id=state.series_id
    )
    state.save()


def _point_screen(point: Measurement, state: SeriesState) -> bool:
    """Screen one point when its turn has come; False when an earlier one or another task is before it."""
    history = worklist.history_read(series=point.series, through=point.ordinal)
    if any(state.screened_through < ordinal < point.ordinal for ordinal in history.ordinals):
        return False
    mine = SeriesState.objects.filter(pk=state.pk, screened_through=state.screened_through).update(
        screened_through=point.ordinal, build=point.build_id
    )
    if not mine:
        return False
    metric = metric_get(point.series.metric)
    found = screen(
        history.values,
        better=metric.better or "lower",
        relevant=metric.relevant,
        grain=metric.grain,
        exact=metric.exact,
        level_start=min(history.index_from(state.level_start), len(history.values) - 1),
        unstable=history.unstable,
        cleared=history.indices_of(worklist.ordinals_cleared(series_id=point.series_id)),
    )
    if found.is_suspicious and not metric.exact:
        _suspicion_open(point, history, found)
    elif found.is_suspicious or found.kind == "unknown":
        _screen_verdict(point, history, found)
    return True


def _suspicion_open(point: Measurement, history: worklist.History, found: Screening) -> None:
    """Doubt the build where the new level would have begun; the build before it is the last good one.

    A build is doubted once per series: the comparison that was made then has answered.
    """
    Suspicion.objects.get_or_create(
        series=point.series,
        build_id=history.builds[found.start],
        defaults={
            "base_id": history.builds[found.start - 1],
            "trigger_id": point.job_id,
            "evidence": _evidence(found),
        },
    )


def _screen_verdict(point: Measurement, history: worklist.History, found: Screening) -> None:
    """A verdict that needs no comparison: a counted metric changed, or nothing can be said."""
    base = Build.objects.get(pk=history.builds[-2]) if len(history.builds) > 1 else None
    subject = subject_of(series=point.series, build=point.build)
    change = Change(found.before, found.after, found.relative, found.relative_low, found.relative_high)
    if found.kind == "unknown":
        sentence = unknown_sentence(subject, reason=screen_reason(found.because))
    else:
        sentence = exact_sentence(subject, change)
    verdict_record(
        series=point.series,
        build=point.build,
        base=base,
        job_id=point.job_id,
        change=change,
        kind=found.kind,
        stage="screen",
        evidence=_evidence(found),
        sentence=sentence,
        detector=found.detector,
        parameters=found.parameters,
        data_sha256=data_digest(history.values),
    )


def _evidence(found: Screening) -> dict[str, object]:
    return {name: value for name, value in asdict(found).items() if name != "parameters"}
