"""A part of a report's series, one transaction: read together, judged one by one, written together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from benchmarks.metrics import metric_get
from perfsite.regressions.changes import data_digest, subject_of, verdict_record
from perfsite.regressions.models import AGAIN, SeriesState, Suspicion, Verdict
from perfsite.regressions.screening import worklist
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.save import states_save
from perfsite.regressions.screening.state import ONLINE_DETECTOR, VERSION, Doubt, Memory
from perfsite.regressions.screening.turn import Turn, memories_read, turns_judge
from perfsite.regressions.screening.worklist import Point
from perfsite.regressions.wording import Change, exact_sentence, screen_reason, unknown_sentence
from perfsite.results.models import Series
from perfsite.runs.models import Build, Job


@transaction.atomic
def part_screen(*, points: Sequence[Point], job: Job, rule: Rule) -> int:
    """Screen those of a job's points whose series nobody moved since they were read; returns how many."""
    states = worklist.states_lock(series_ids=[point.series_id for point in points])
    cases = worklist.case_labels(series_ids=states) if rule.has_cases else {}
    turns = [
        Turn(
            point,
            states[point.series_id],
            rule.metric_of(metric_get(point.metric), case=cases.get(point.series_id, "")),
        )
        for point in points
        if point.seen == (states[point.series_id].screened_through, states[point.series_id].build_id)
    ]
    memories_read(turns, rule)
    turns_judge(turns, build_id=job.run.build_id, rule=rule)
    doubted = [turn for turn in turns if turn.memory and turn.answer and turn.answer.is_suspicious]
    _suspicions_open(doubted, job)
    _states_write(turns)
    told = [turn for turn in turns if turn.answer and not (turn.memory and turn.answer.is_suspicious)]
    _verdicts_write(told, job)
    return len(turns)


@transaction.atomic
def late_forget(*, points: Sequence[Point]) -> None:
    """Forget the states that lack one of these points, which came after their place had been passed.

    They are not judged, but they join the history: the next point is judged by a rebuilt state.
    """
    states = worklist.states_lock(series_ids=[point.series_id for point in points])
    late = []
    for point in points:
        state = states[point.series_id]
        if state.screen.get("version") != VERSION or "online" not in state.screen:
            continue
        places = Memory.places_of(state.screen)
        if places and point.ordinal > places[0] and point.ordinal not in places:
            late.append(point.series_id)
    SeriesState.objects.filter(series_id__in=late).update(screen={})


def _suspicions_open(turns: Sequence[Turn], job: Job) -> None:
    """Doubt the builds where the new levels would have begun; the last good ones are their bases.

    A build is doubted once per series.  One that the online screen names again, although a comparison
    answered, stands on a level that lasts: later points are judged against it, and the newest build is
    doubted instead.  Neighbours of a creep, or of a small step, differ by too little to be told apart;
    the newest build and the last one before the range differ by all of it.
    """
    if not turns:
        return
    places = worklist.builds_at(
        places=[(turn.point.series_id, place) for turn in turns for place in _places(turn)]
    )
    named = {
        (turn.point.series_id, places[turn.point.series_id, _places(turn)[0]]): turn
        for turn in turns
        if all((turn.point.series_id, place) in places for place in _places(turn))
    }
    newest = job.run.build_id
    known = worklist.suspicions_known(pairs=[*named, *((series_id, newest) for series_id, _ in named)])
    fresh = []
    for (series_id, build_id), turn in named.items():
        start, good = _places(turn)
        base_id = places[series_id, good]
        earlier = known.get((series_id, build_id))
        if earlier is None:
            fresh.append(_doubt(turn, build_id, start, base_id, job))
        elif _level_begin(turn, earlier) and (series_id, newest) not in known:
            fresh.append(_doubt(turn, newest, turn.point.ordinal, base_id, job, **{AGAIN: build_id}))
    Suspicion.objects.bulk_create(fresh)


def _doubt(turn: Turn, build_id: int, place: int, base_id: int, job: Job, **more: int) -> Suspicion:
    """A suspicion of the build at a place, which the state remembers; `more` goes into its evidence."""
    assert turn.memory is not None
    assert turn.answer is not None
    turn.memory.doubt = Doubt(build_id, place, turn.answer.score)
    return Suspicion(
        series_id=turn.point.series_id,
        build_id=build_id,
        base_id=base_id,
        trigger=job,
        evidence={**turn.answer.evidence, "parameters": turn.answer.parameters, **more},
    )


def _places(turn: Turn) -> tuple[int, int]:
    assert turn.answer is not None
    return turn.answer.start, turn.answer.good


def _level_begin(turn: Turn, suspicion: Suspicion) -> bool:
    """Begin the level that was suspected before, if it is known to last."""
    assert turn.memory is not None
    assert turn.answer is not None
    if turn.answer.detector != ONLINE_DETECTOR:
        return False
    turn.memory.level_begin(turn.answer.start)
    turn.state.level_start = turn.memory.level
    suspicion.evidence = {**suspicion.evidence, "level_begun": turn.point.ordinal}
    suspicion.save(update_fields=["evidence"])
    return True


def _states_write(turns: Sequence[Turn]) -> None:
    for turn in turns:
        if turn.memory is not None:
            turn.state.screen = turn.memory.as_json()
    states_save(states=[turn.state for turn in turns])


def _verdicts_write(turns: Sequence[Turn], job: Job) -> None:
    """Verdicts that need no comparison: a counted metric changed, or nothing can be said."""
    if not turns:
        return
    build, series = job.run.build, Series.objects.in_bulk([turn.point.series_id for turn in turns])
    unknown = []
    for turn in turns:
        answer = turn.answer
        assert answer is not None
        subject = subject_of(series=series[turn.point.series_id], build=build)
        fields: dict[str, Any] = {
            "series": series[turn.point.series_id],
            "build": build,
            "kind": answer.kind,
            "stage": "screen",
            "job_id": job.pk,
            "evidence": answer.evidence,
            "detector": answer.detector,
            "parameters": answer.parameters,
            "data_sha256": data_digest(turn.memory.numbers if turn.memory else turn.values),
        }
        if answer.is_suspicious:
            base = Build.objects.get(pk=turn.base_id) if turn.base_id else None
            sentence = exact_sentence(subject, answer.change)
            verdict_record(base=base, change=answer.change, sentence=sentence, **fields)
        else:
            sentence = unknown_sentence(subject, reason=screen_reason(answer.because))
            unknown.append(
                Verdict(base_id=turn.base_id, sentence=sentence, **_columns(answer.change), **fields)
            )
    Verdict.objects.bulk_create(unknown)


def _columns(change: Change) -> dict[str, float | None]:
    return {
        "before": change.before,
        "after": change.after,
        "relative": change.relative,
        "relative_low": change.low,
        "relative_high": change.high,
    }
