"""The full pass: where the level of a whole series moved, with the evidence of both sides.

The online screen finds candidates from left to right; then every candidate is held against all points
between its neighbours, placed anew, and the weakest is dropped until all that are left have evidence
and size (backward elimination, as in the second pass of binary segmentation; Fryzlewicz 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from perfsite.regressions.detection.contrast import WHITE, contrast_at, contrast_best
from perfsite.regressions.detection.evidence import FREEDOM
from perfsite.regressions.detection.online import PRIOR_NOISE, PRIOR_WEIGHT, OnlineScreen
from perfsite.regressions.detection.personas import NEARLY, Persona
from perfsite.regressions.detection.slope import CREEP, is_line
from perfsite.regressions.detection.wobble import CLIPS, Values, mean_variance, point_noise, wobble_curve

CANDIDATES = Persona(score=3.9, points=3, sure=0.0)
SCORE = 3.9  # normal score a change must keep against both neighbours
STRIDE = 4  # builds between two looks; candidates need not be found at once
SIDE = 60  # points on each side of a candidate that count
TURNS = 2  # times all places are looked at anew
EDGE = 5  # points before and after a slope that are judged with it


@dataclass(frozen=True)
class Change:
    """`index` is the first build of the new level; levels in the metric's unit; `score` is a normal score."""

    index: int
    before: float
    after: float
    relative: float
    score: float


@dataclass(frozen=True)
class _Pass:
    """A series, its values as they are compared, and the smallest changes to tell."""

    array: Values
    scaled: Values
    noise: float
    relevant: float
    grain: float

    def residuals(self, places: list[int]) -> Values:
        """The values about the medians of their levels, in noise units, clipped."""
        parts = [
            self.scaled[a:b] - np.median(self.scaled[a:b]) for a, b in pairwise((0, *places, len(self.array)))
        ]
        return np.clip(np.concatenate(parts) / self.noise, -CLIPS[0], CLIPS[0])

    def judged(
        self, places: list[int], variances: Values, known: dict[int, Change] | None = None
    ) -> list[Change]:
        """The change at each of `places`, placed anew, unless it is `known`."""
        bounds = [0, *places, len(self.array)]
        return [
            (known or {}).get(place)
            or self.change(max(left, place - SIDE), place, min(right, place + SIDE), variances)
            for left, place, right in zip(bounds, places, bounds[2:], strict=False)
        ]

    def change(self, first: int, place: int, last: int, variances: Values) -> Change:
        """The step between two neighbours: placed by least squares, its evidence against the series' wobble.

        Placed against the wobble a slope would be put at its end.  The step itself fits between the clips.
        """
        old, new = float(np.median(self.scaled[first:place])), float(np.median(self.scaled[place:last]))
        room = abs(new - old) / self.noise / 2.0 + CLIPS[1]
        clipped = np.clip((self.scaled[first:last] - (old + new) / 2.0) / self.noise, -room, room)
        freedom = FREEDOM + len(self.array)
        split = contrast_best(clipped, WHITE, freedom=freedom, reach=last - first - 3, earliest=3)
        at = place if split is None else first + split.start
        score = contrast_at(clipped, at - first, variances, freedom)
        before, after = float(np.median(self.array[first:at])), float(np.median(self.array[at:last]))
        size = abs(before) or abs(after) or 1.0
        return Change(at, before, after, (after - before) / size, score)

    def weakest(self, changes: list[Change]) -> Change | None:
        """The change with the least evidence, when it has too little of it or is too small."""
        small = [change for change in changes if self.is_small(change)]
        weakest = min(small or changes, key=lambda change: abs(change.score), default=None)
        return weakest if small or (weakest and abs(weakest.score) < SCORE) else None

    def is_small(self, change: Change) -> bool:
        """Whether it is not worth telling."""
        moved = abs(change.after - change.before)
        return abs(change.relative) < NEARLY * self.relevant or moved <= self.grain


def changes_find(values: ArrayLike, *, relevant: float = 0.01, grain: float = 0.0) -> tuple[Change, ...]:
    """The changes of level in `values`, shape (n,), in order.

    `relevant` (relative) and `grain` (in the unit) are the smallest change worth telling; an estimate
    may fall short of `relevant` by a fifth, being uncertain itself.

    Raises:
        ValueError: not a flat list, or a value that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"a series is a flat list of numbers; got shape {array.shape}")
    screen = OnlineScreen(CANDIDATES, relevant=relevant, grain=grain)
    places = set()
    for count, value in enumerate(array.tolist(), start=1):
        screen.take(value)
        told = screen.look() if count % STRIDE == 0 or count == len(array) else None
        if told:
            places.add(told.index)
    if not places:
        return ()
    scaled = _scaled(array, linear=bool(screen.unit))
    noise = point_noise(scaled, prior=PRIOR_NOISE, weight=PRIOR_WEIGHT)
    found = _settled(
        _Pass(array, scaled, noise, relevant, grain), sorted(places), wobble_curve(screen.residuals)
    )
    return tuple(_without_creep(found, scaled))


def _scaled(array: Values, *, linear: bool) -> Values:
    if not linear:
        return np.log(array)
    return array / (float(np.median(np.abs(array))) or float(np.abs(array).max()) or 1.0)


def _settled(series: _Pass, places: list[int], wobble: Values) -> list[Change]:
    """The changes that are left when all have evidence and size; `wobble` knows what came back."""
    changes: list[Change] = []
    for _ in range(TURNS):
        variances = mean_variance(np.maximum(wobble, wobble_curve(series.residuals(places))))
        changes = series.judged(places, variances)
        while (weakest := series.weakest(changes)) is not None:
            rest = [change for change in changes if change.index != weakest.index]
            far = {change.index: change for change in rest if abs(change.index - weakest.index) > 2 * SIDE}
            places = sorted({change.index for change in rest} - {0})
            changes = series.judged(places, variances, far)
        places = sorted({change.index for change in changes} - {0})
    return changes


def _without_creep(changes: list[Change], scaled: Values) -> list[Change]:
    """Neighbouring changes of one direction that a line explains as well become the first of them."""
    kept: list[Change] = []
    for change in changes:
        last = kept[-1] if kept else None
        if last and last.relative * change.relative > 0 and change.index - last.index <= CREEP:
            first = max(last.index - EDGE, 0)
            part = scaled[first : change.index + EDGE]
            if is_line(part, (last.index - first, change.index - first)):
                relative = (change.after - last.before) / (abs(last.before) or 1.0)
                kept[-1] = Change(last.index, last.before, change.after, relative, last.score)
                continue
        kept.append(change)
    return kept
