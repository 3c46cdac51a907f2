"""What the screen remembers of one series: constant in size, and nothing that the rows do not tell.

A push reads and writes the states of all its series: so numbers are kept as base64 of their bytes, and a
state stays below the 2 kB from which on PostgreSQL puts a value into a table of its own.
"""

from __future__ import annotations

import math
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from benchmarks.metrics import Metric
from perfsite.regressions.detection import DETECTOR, Persona
from perfsite.regressions.detection.online import REACH
from perfsite.regressions.screening.level import LevelScreen
from perfsite.regressions.screening.rule import Rule

# name and version of the online screen: raise it when its answers or its state change, to have states rebuilt
ONLINE_DETECTOR = "online/2"
VERSION = f"{DETECTOR} {ONLINE_DETECTOR} state/2"

# points whose places are kept besides the online screen's own: a change is placed among fewer
WINDOW = REACH + 16
VALUES = 40  # of them whose values are kept: what a young level is judged by
_WIDEST = 65535  # places from one point to the next
UNSTABLE, TAKEN = 1, 2  # marks of a point; an unstable one is taken only among many
_MARKED = (bytes([UNSTABLE]), bytes([UNSTABLE | TAKEN]))
_CLEARED_MOST = 16  # refuted places that are remembered


@dataclass(frozen=True)
class Doubt:
    """A suspicion whose answer the state has not taken in yet: its build, its place and its score."""

    build: int
    ordinal: int
    score: float


@dataclass
class Memory:
    """The state of one timed series.

    `level` is the ordinal where the present level began, `newest` that of the newest point.  `gaps` and
    `marks` hold the newest `WINDOW` points in branch order, as bytes: two each for the places since the
    point before, one each; `values` the newest `VALUES`, floats of 8.  `cleared` are places where a
    comparison found no change.
    """

    online: LevelScreen
    level: int = 0
    newest: int = 0
    gaps: bytes = b""
    values: bytes = b""
    marks: bytes = b""
    doubt: Doubt | None = None
    cleared: list[int] = field(default_factory=list)

    def take(self, ordinal: int, value: float, *, unstable: bool) -> bool:
        """Add a point; whether the online screen took it.

        An unstable one is left out, unless at least half of those before it are unstable too; a value
        that is no number always is.
        """
        most = 2 * sum(self.marks.count(mark) for mark in _MARKED) >= len(self.marks) > 0
        taken = (not unstable or most) and math.isfinite(value)
        self._keep((ordinal,), (value,), bytes((UNSTABLE * unstable | TAKEN * taken,)))
        if taken:
            self.online.take(value)
        return taken

    def take_many(self, points: Sequence[tuple[int, float, bool]]) -> None:
        """Add points, each an ordinal, a value and whether it is unstable, as `take` one by one would."""
        if any(unstable or not math.isfinite(value) for _, value, unstable in points):
            for ordinal, value, unstable in points:
                self.take(ordinal, value, unstable=unstable)
        elif points:
            ordinals, values, _ = zip(*points, strict=True)
            self._keep(ordinals, values, bytes((TAKEN,)) * len(points))
            self.online.take_many(values)

    def _keep(self, ordinals: Sequence[int], values: Sequence[float], marks: bytes) -> None:
        gaps = [min(b - a, _WIDEST) for a, b in pairwise((self.newest, *ordinals))]
        self.newest = ordinals[-1]
        self.gaps = (self.gaps + array("H", gaps).tobytes())[-2 * WINDOW :]
        self.values = (self.values + array("d", values).tobytes())[-8 * VALUES :]
        self.marks = (self.marks + marks)[-WINDOW:]

    @property
    def places(self) -> list[int]:
        """The ordinals of the window's points."""
        return _places(self.newest, self.gaps)

    @property
    def numbers(self) -> list[float]:
        """The values of the last of them, in the metric's unit."""
        return array("d", self.values).tolist()

    @property
    def unstable(self) -> list[bool]:
        """Which of them are unstable."""
        return [bool(mark & UNSTABLE) for mark in self.marks]

    @property
    def taken(self) -> list[int]:
        """The ordinals of those that the online screen took."""
        return [place for place, mark in zip(self.places, self.marks, strict=True) if mark & TAKEN]

    def settle(self, *, changed: bool, cleared: bool) -> None:
        """Take the answer to the open doubt in, before the next point.

        `cleared`: the comparison found no change, or more likely none than one.
        """
        doubt, self.doubt = self.doubt, None
        if doubt is None:
            return
        if changed:
            self.level_begin(doubt.ordinal)
            return
        age = sum(place >= doubt.ordinal for place in self.taken)
        self.online.refute(score=doubt.score, points=age)
        if cleared:
            self.cleared = [*self.cleared, doubt.ordinal][-_CLEARED_MOST:]

    def level_begin(self, ordinal: int) -> None:
        """Let the present level begin at a place; what was before stays as noise."""
        self.online.rebase(sum(place >= ordinal for place in self.taken))
        self.level, self.cleared = ordinal, []

    def as_json(self) -> dict[str, Any]:
        """The state as the database keeps it, without what the rule and the metric say."""
        return {
            "version": VERSION,
            "level": self.level,
            "newest": self.newest,
            "gaps": _text(self.gaps),
            "values": _text(self.values),
            "marks": _text(self.marks),
            "doubt": asdict(self.doubt) if self.doubt else None,
            "cleared": self.cleared,
            "online": self.online.numbers(),
            "kept": _text(self.online.kept),
        }

    @staticmethod
    def places_of(fields: Mapping[str, Any]) -> list[int]:
        """The ordinals of the window's points in what `as_json` wrote."""
        return _places(fields["newest"], b64decode(fields["gaps"]))

    @classmethod
    def from_json(
        cls, fields: Mapping[str, Any], *, persona: Persona, relevant: float, grain: float
    ) -> Memory:
        """The state that `as_json` wrote, under the rule that holds now."""
        return cls(
            LevelScreen.restore(
                persona,
                relevant=relevant,
                grain=grain,
                numbers=fields["online"],
                kept=b64decode(fields["kept"]),
            ),
            fields["level"],
            fields["newest"],
            b64decode(fields["gaps"]),
            b64decode(fields["values"]),
            b64decode(fields["marks"]),
            Doubt(**fields["doubt"]) if fields["doubt"] else None,
            fields["cleared"],
        )


def memory_new(*, metric: Metric, rule: Rule) -> Memory:
    """The state of a series without points."""
    return Memory(LevelScreen(rule.persona, relevant=metric.relevant, grain=metric.grain))


def _places(newest: int, gaps: bytes) -> list[int]:
    """The ordinals, in branch order; the first gap leads to a point that is forgotten."""
    backwards = accumulate(array("H", gaps)[:0:-1], lambda place, gap: place - gap, initial=newest)
    return list(backwards)[::-1] if gaps else []


def _text(numbers: bytes) -> str:
    return b64encode(numbers).decode()
