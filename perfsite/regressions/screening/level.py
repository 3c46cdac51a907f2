"""The online screen, told from outside where a level began and what was refuted.

`OnlineScreen.settle` begins the new level where the screen itself would place it.  Here the verdict
names the build, the screen may have been too young to see the change, and a rebuild must come to the
same state under another rule: so the place is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perfsite.regressions.detection.contrast import Contrast
from perfsite.regressions.detection.noise import Values
from perfsite.regressions.detection.online import MEMORY, PRIOR_NOISE, PRIOR_WEIGHT, OnlineScreen, _View
from perfsite.regressions.detection.personas import Persona, Told
from perfsite.regressions.detection.wobble import point_noise

# what the online screen itself calls its state; of that, the rule and the metric tell three
_NUMBERS = tuple(sorted(OnlineScreen().state().keys() - {"persona", "relevant", "grain", "kept"}))


class LevelScreen(OnlineScreen):
    """An online screen that a service drives.

    Its kept points have the precision of 4 bytes, a millionth: they then need half the room, and what is
    carried equals what is rebuilt to the last bit.
    """

    def take(self, value: float) -> None:
        """Take a value without judging."""
        super().take(value)
        self._round()

    def numbers(self) -> dict[str, Any]:
        """The state but for the kept points and for what the rule and the metric say."""
        return {name: getattr(self, name) for name in _NUMBERS}

    @property
    def level(self) -> Values:
        """The points of the present level: logarithms, unless `unit` is set."""
        return self._kept[len(self._kept) - self.points :]

    @property
    def kept(self) -> bytes:
        """The kept points, floats of 4 bytes."""
        return self._kept.astype(np.float32).tobytes()

    @classmethod
    def restore(
        cls, persona: Persona, *, relevant: float, grain: float, numbers: Mapping[str, Any], kept: bytes
    ) -> LevelScreen:
        """The screen of these `numbers` and `kept` points, under the rule that holds now."""
        screen = cls(persona, relevant=relevant, grain=grain)
        for name in _NUMBERS:
            setattr(screen, name, numbers[name])
        screen._kept = np.frombuffer(kept, dtype=np.float32).astype(np.float64)
        return screen

    def take_many(self, values: Sequence[float]) -> None:
        """Take values without judging, as `take` one by one would."""
        count = len(values)
        if self.unit or not all(0.0 < value < math.inf for value in values):
            for value in values:
                self.take(value)
            return
        logarithms = [math.log(value) for value in values[-MEMORY:]]
        self._kept = np.append(self._kept, logarithms)[-MEMORY:]
        self.count += count
        self.points = min(self.points + count, MEMORY)
        self.since = min(self.since + count, MEMORY)
        self.rest = max(self.rest - count, 0)
        self._round()

    def rebase(self, points: int) -> None:
        """Let the newest `points` be the present level; no more than it has changes nothing."""
        old = self.points - points
        if old <= 0 or points <= 0:
            return
        level = self._kept[len(self._kept) - self.points :]
        before, after = float(np.median(level[:old])), float(np.median(level[old:]))
        residuals = self._kept.copy()
        residuals[len(residuals) - self.points :] -= before
        noise = point_noise(residuals, prior=PRIOR_NOISE, weight=PRIOR_WEIGHT)
        self._rebased(_View(Contrast(old, 0.0, 1.0, old, old), before, after, noise))
        self._round()

    def refute(self, *, score: float, points: int) -> None:
        """Remember that a suspicion of this score about the newest `points` was no change."""
        newest = self.count - 1
        first = newest - max(points, 1) + 1
        self.settle(Told(first, newest, first, first, 0.0, 0.0, 0.0, score), changed=False)

    def _round(self) -> None:
        self._kept = self._kept.astype(np.float32).astype(np.float64)
