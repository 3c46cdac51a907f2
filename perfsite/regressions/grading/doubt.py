"""A suspicion of a replay, and how two replays differ.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OUTCOMES = ("confirmed", "refuted", "undecided")
NEAR = 2  # points by which two placings of one change may differ


@dataclass(frozen=True)
class Doubt:
    """A suspicion: `index` counts the points before the suspected one, `ordinal` is its place.

    `ordinals` are the places that may be meant, `outcome` is one of `OUTCOMES`, `pairs` how many it took
    (None: not known).  `assumed`: no answer was on record.
    """

    index: int
    ordinal: int
    ordinals: tuple[int, ...]
    relative: float
    outcome: str
    pairs: int | None
    assumed: bool
    is_worse: bool


def doubts_differ(before: Sequence[Doubt], after: Sequence[Doubt]) -> tuple[list[Doubt], list[Doubt]]:
    """Those of `after` that `before` has not, and those of `before` that `after` has not."""
    left = list(after)
    gone: list[Doubt] = []
    for doubt in before:
        near = [one for one in left if abs(one.index - doubt.index) <= NEAR]
        if near:
            left.remove(min(near, key=lambda one: abs(one.index - doubt.index)))
        else:
            gone.append(doubt)
    return left, gone
