"""The online screen: one series, one value at a time, a state of constant size, nothing ever taken back.

Two personas share the statistic of `evidence`.  The strict one tells changes by itself: it waits for
three points, for evidence, and until the place is known to within two builds.  The eager one names
suspicions early and is told what a comparison found (`settle`); a refuted suspicion must grow before
it is named again.

The level is re-based at every change: older points stay as residuals about their own level, so noise
and wander are known from before the change.  An excursion that came back is put back into that
history as wobble: sticky clock states teach the screen after one visit (`_rebased`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from perfsite.regressions.detection.contrast import Contrast
from perfsite.regressions.detection.evidence import levels, split_best
from perfsite.regressions.detection.personas import NEARLY, STRICT, Persona, Told
from perfsite.regressions.detection.slope import CREEP, is_line
from perfsite.regressions.detection.wobble import CLIPS, LONGEST, Values, point_noise

MEMORY = LONGEST  # points kept; more would not be compared with anything
PRIOR_NOISE, PRIOR_WEIGHT = 0.005, 3.0  # relative; in points.  Timed builds wobble by 0.3 to 3 %
REACH = 64  # newest points in which a new level may have begun
BACK = 0.3  # of a step: how near to the old level an excursion must end to have come back
REST = 8  # builds a refuted suspicion is remembered at least
GROWN = 1.3  # by which factor a refuted suspicion must grow; after as many points again as it had


@dataclass(frozen=True)
class _View:
    """The newest split: its contrast, the two levels in the buffer's unit, the noise and the direction."""

    split: Contrast
    before: float
    after: float
    noise: float


class OnlineScreen:
    """The state of one series.  `grain` is absolute, in the metric's unit."""

    def __init__(self, persona: Persona = STRICT, *, relevant: float = 0.01, grain: float = 0.0) -> None:
        self.persona, self.relevant, self.grain = persona, relevant, grain
        self.unit = 0.0  # 0: the buffer holds logarithms; otherwise values over this
        self.count = 0  # values seen
        self.points = 0  # of the present level, at most MEMORY
        self.step = 0.0  # the last change, in the buffer's unit; 0 when it has come back
        self.since = MEMORY  # builds since the last change or since its creep went on
        self.refuted = 0.0  # score of a refuted suspicion
        self.rest = 0  # builds until it is forgotten
        self._kept: Values = np.zeros(0)

    def append(self, value: float) -> Told | None:
        """Take the newest value; what is told now, or None.

        Raises:
            ValueError: the value is not finite.
        """
        self.take(value)
        return self.look()

    def take(self, value: float) -> None:
        """Take a value without judging; `append` is `take` and `look`."""
        value = float(value)
        if not math.isfinite(value):
            raise ValueError(f"value {self.count} of the series is {value}; leave out builds without a value")
        if value <= 0 and not self.unit:
            self._leave_logarithms(value)
        self._kept = np.append(
            self._kept[-(MEMORY - 1) :], value / self.unit if self.unit else math.log(value)
        )
        self.count += 1
        self.points = min(self.points + 1, MEMORY)
        self.since = min(self.since + 1, MEMORY)
        self.rest = max(self.rest - 1, 0)

    def look(self) -> Told | None:
        """What the values so far tell; at most once per value."""
        view = self._view()
        if view is None or not self._passes(view):
            return None
        if not self.persona.asks and self._creeps(view):
            self._rebased(view, silent=True)
            return None
        told = self._told(view)
        if not self.persona.asks:
            self._rebased(view)
        return told

    def settle(self, told: Told, *, changed: bool) -> Told | None:
        """Take what a comparison of `told.last_good` and `told.suspect` found, before the next value.

        Returns the change to tell; None where there is none, or where it is the last one creeping on.
        """
        view = self._view()
        if changed and view is not None:
            going_on = self._creeps(view)
            self._rebased(view, silent=going_on)
            return None if going_on else told
        self.refuted = abs(told.score)
        self.rest = max(2 * (told.detected_at - told.index + 1), REST)
        return None

    def state(self) -> dict[str, object]:
        """The whole state as JSON takes it; its size is bounded by `MEMORY` numbers."""
        names = ("relevant", "grain", "unit", "count", "points", "step", "since", "refuted", "rest")
        return {
            "persona": asdict(self.persona),
            **{n: getattr(self, n) for n in names},
            "kept": self._kept.tolist(),
        }

    @property
    def residuals(self) -> Values:
        """The kept points about their own levels, with excursions that came back, in noise units, clipped."""
        kept = self._kept.copy()
        kept[len(kept) - self.points :] -= np.median(kept[len(kept) - self.points :])
        noise = point_noise(kept, prior=PRIOR_NOISE, weight=PRIOR_WEIGHT)
        return np.clip(kept / noise, -CLIPS[0], CLIPS[0])

    @classmethod
    def from_state(cls, state: dict[str, object]) -> OnlineScreen:
        """The screen that `state` was read from."""
        screen = cls(Persona(**state["persona"]))  # type: ignore[arg-type]
        for name in state.keys() - {"persona", "kept"}:
            setattr(screen, name, state[name])
        screen._kept = np.array(state["kept"], dtype=np.float64)
        return screen

    def _leave_logarithms(self, value: float) -> None:
        """A series with values of zero or below is compared by differences, in units of its level."""
        level = self._kept[len(self._kept) - self.points :]
        middle = float(np.median(level)) if len(level) else 0.0
        self.unit = math.exp(middle) if len(level) else abs(value) or 1.0
        level[:] = np.exp(level - middle)

    def _view(self) -> _View | None:
        kept, points = self._kept, self.points
        if points <= self.persona.earliest:
            return None
        first = len(kept) - points
        residuals = kept.copy()
        residuals[first:] -= np.sort(kept[first:])[points // 2]
        noise = point_noise(residuals, prior=PRIOR_NOISE, weight=PRIOR_WEIGHT)
        residuals *= 1.0 / noise
        rule = self.persona
        split = split_best(residuals, points, least=rule.score, reach=REACH, earliest=rule.earliest)
        if split is None:
            return None
        before, after = levels(kept[first:], split.start)
        return _View(split, before, after, noise)

    def _passes(self, view: _View) -> bool:
        split, rule = view.split, self.persona
        age = self.points - split.start
        if abs(split.score) < rule.score or age < rule.points or split.sure < rule.sure:
            return False
        if self.rest and abs(split.score) < GROWN * self.refuted:
            return False
        before, after, relative = self._in_unit(view)
        return abs(after - before) > self.grain and abs(relative) >= NEARLY * self.relevant

    def _creeps(self, view: _View) -> bool:
        """Whether this is the last change going on: same direction, and a line fits better than a step."""
        if self.since > CREEP or not self.step or (view.after - view.before) * self.step <= 0:
            return False
        return is_line(self._kept[len(self._kept) - self.points :], (view.split.start,))

    def _in_unit(self, view: _View) -> tuple[float, float, float]:
        if not self.unit:
            step = min(view.after - view.before, 700.0)
            return math.exp(view.before), math.exp(view.after), math.expm1(step)
        size = abs(view.before) or abs(view.after) or 1.0
        return view.before * self.unit, view.after * self.unit, (view.after - view.before) / size

    def _told(self, view: _View) -> Told:
        before, after, relative = self._in_unit(view)
        zero = self.count - self.points
        split = view.split
        good = max(split.first - 1, 0)
        return Told(
            zero + split.start,
            self.count - 1,
            zero + good,
            zero + max(split.last, split.start),
            before,
            after,
            relative,
            split.score,
        )

    def _rebased(self, view: _View, *, silent: bool = False) -> None:
        """Begin the new level; the old one's points become residuals, or wobble if all came back."""
        at, step = view.split.start, view.after - view.before
        first = len(self._kept) - self.points
        old = self._kept[first : first + at]
        old -= view.before
        came_back = abs(self.step + step) < max(BACK * abs(self.step), view.noise)
        if self.step and came_back and at <= CREEP and not silent:
            old += self.step
            self.step = 0.0
        else:
            self.step = step
        self.points -= at
        self.since = self.points
        self.refuted, self.rest = 0.0, 0


def changes_told(values: Iterable[float], screen: OnlineScreen | None = None) -> list[Told]:
    """What a fresh strict screen (or `screen`) tells about `values`, in order."""
    screen = screen or OnlineScreen()
    return [told for value in values if (told := screen.append(value)) is not None]
