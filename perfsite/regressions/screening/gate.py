"""Which of many screens need not be asked, because a suspicion of theirs would be smaller than is relevant.

A screen suspects only what moved the median by nearly the relevant change.  Whether any split of the
newest points did is soon told for many series together; the evidence, which takes longer, is then asked
for of few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from perfsite.regressions.detection.many import screens_quiet
from perfsite.regressions.detection.noise import Values
from perfsite.regressions.detection.online import REACH
from perfsite.regressions.detection.personas import NEARLY
from perfsite.regressions.detection.wobble import LONGEST
from perfsite.regressions.screening.level import LevelScreen

_CLOSE = 1.0 - 1e-9  # two ways to compute an exponential differ in their last bit
_WORTH = 4  # with fewer alike it is quicker to ask them


def screens_settled(screens: Sequence[LevelScreen]) -> list[bool]:
    """Whether `look` of each screen certainly tells nothing; one that may has to be asked."""
    settled = screens_quiet(screens)
    groups: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for place, screen in enumerate(screens):
        if not settled[place] and not screen.unit:
            groups[screen.points, screen.persona.points, screen.persona.earliest].append(place)
    for (points, age, earliest), places in groups.items():
        if len(places) < _WORTH:
            continue
        levels = np.array([screens[place].level for place in places])
        steps = _largest_steps(levels, age, min(REACH, points - earliest))
        for place, step in zip(places, steps.tolist(), strict=True):
            settled[place] = step < NEARLY * screens[place].relevant * _CLOSE
    return settled


def _largest_steps(levels: Values, least: int, most: int) -> Values:
    """The largest relative step of the median at the newest `least` to `most` points; (n, points) -> (n,).

    `levels` are logarithms.
    """
    count = levels.shape[1]
    largest = np.zeros(len(levels))
    for newer in range(least, most + 1):
        start = count - newer
        step = _medians(levels[:, start:]) - _medians(levels[:, max(start - LONGEST // 2, 0) : start])
        np.maximum(largest, np.abs(np.expm1(step)), out=largest)
    return largest


def _medians(values: Values) -> Values:
    """The upper median of each row."""
    middle = values.shape[1] // 2
    return np.partition(values, middle, axis=1)[:, middle]
