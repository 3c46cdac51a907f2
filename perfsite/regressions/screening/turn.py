"""One point whose turn it is: what the screen remembers of its series, and what it says about the point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import Metric
from perfsite.regressions.models import SeriesState
from perfsite.regressions.screening import worklist
from perfsite.regressions.screening.answer import Answer, exact_judge, memories_quiet, timed_judge
from perfsite.regressions.screening.rebuild import Outcome, Past, memory_rebuild, outcomes_read, pasts_read
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import VERSION, Memory
from perfsite.regressions.screening.worklist import Point


@dataclass
class Turn:
    """A point whose turn it is, with its series' state and what was said about it.

    `metric` has the relevant change that holds for the series; `memory` is None for a counted metric,
    whose numbers are in `values`.
    """

    point: Point
    state: SeriesState
    metric: Metric
    memory: Memory | None = None
    taken: bool = True
    answer: Answer | None = None
    base_id: int | None = None
    values: Sequence[float] = ()


def memories_read(turns: Sequence[Turn], rule: Rule) -> None:
    """Give each timed series what the screen remembers, with the answers since its last point taken in."""
    timed = [turn for turn in turns if not turn.metric.exact]
    for turn in timed:
        if turn.state.screen.get("version") == VERSION:
            turn.memory = _memory_unpack(turn, rule)
    doubted = [turn for turn in timed if turn.memory and turn.memory.doubt]
    outcomes = outcomes_read(series_ids=[turn.point.series_id for turn in doubted]) if doubted else {}
    for turn in doubted:
        assert turn.memory is not None
        assert turn.memory.doubt is not None
        outcome = outcomes.get((turn.point.series_id, turn.memory.doubt.build), Outcome())
        turn.memory.settle(changed=outcome.changed, cleared=outcome.cleared)
    # a level that is not where this state has it was moved by somebody else
    lost = [turn for turn in timed if turn.memory is None or turn.memory.level != turn.state.level_start]
    _memories_rebuild(lost, rule)


def _memory_unpack(turn: Turn, rule: Rule) -> Memory:
    metric = turn.metric
    return Memory.from_json(
        turn.state.screen, persona=rule.persona, relevant=metric.relevant, grain=metric.grain
    )


def _memories_rebuild(turns: Sequence[Turn], rule: Rule) -> None:
    places = {turn.point.series_id: turn.state.screened_through for turn in turns}
    known = [key for key, through in places.items() if through]
    pasts = pasts_read(places={key: places[key] for key in known}) if known else {}
    for turn in turns:
        key = turn.point.series_id
        turn.memory = memory_rebuild(
            series_id=key, through=places[key], past=pasts.get(key, Past()), metric=turn.metric, rule=rule
        )
        turn.state.level_start = turn.memory.level


def _turn_take(turn: Turn, build_id: int, rule: Rule) -> None:
    """Move the state on to the point, in memory only; a counted metric is judged at once."""
    point, state = turn.point, turn.state
    if turn.memory is None:
        _exact_judge(turn, rule)
    else:
        turn.taken = turn.memory.take(point.ordinal, point.value, unstable=point.unstable)
    turn.base_id = state.build_id
    state.screened_through, state.build_id = point.ordinal, build_id


def turns_judge(turns: Sequence[Turn], *, build_id: int, rule: Rule) -> None:
    """Move the states on to their points and judge these, in memory only.

    Those that cannot be suspicious are told from the others together.
    """
    for turn in turns:
        _turn_take(turn, build_id, rule)
    memories = [turn.memory for turn in turns if turn.memory]
    quiet = memories_quiet(memories)
    for turn in turns:
        if turn.memory and id(turn.memory) not in quiet:
            turn.answer = timed_judge(turn.memory, taken=turn.taken, metric=turn.metric, rule=rule)


def _exact_judge(turn: Turn, rule: Rule) -> None:
    point, state = turn.point, turn.state
    last = state.screen.get("last") if state.screen.get("version") == VERSION else None
    if last is None and state.screened_through:
        last = worklist.point_before(
            series_id=state.series_id, through=state.screened_through, samples=turn.metric.samples
        )
    places, values = ([last[0]], [last[1]]) if last else ([], [])
    turn.values = [*values, point.value]
    turn.answer = exact_judge(
        [*places, point.ordinal], [*turn.values], level=state.level_start, metric=turn.metric, rule=rule
    )
    state.screen = {"version": VERSION, "last": [point.ordinal, point.value]}
