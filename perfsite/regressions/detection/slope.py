"""Creep: whether a slow slope explains values as well as steps do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from perfsite.regressions.detection.wobble import Values

CREEP = 40  # builds a slope may last and still be one change
SLOPE = 2.0  # standard errors (of a ratio of sums of squares) by which a line may fit worse than steps


def is_line(values: Values, steps: Sequence[int]) -> bool:
    """Whether least squares fit a line to `values`, shape (n,), about as well as levels from `steps` on.

    It errs towards the line: told once too seldom is better than one slope told three times.
    """
    x = np.arange(len(values)) - (len(values) - 1) / 2.0
    centered = values - values.mean()
    line = float(centered @ centered) - float(x @ centered) ** 2 / float(x @ x)
    parts = (values[a:b] for a, b in pairwise((0, *steps, len(values))))
    stepped = sum(float(np.square(part - part.mean()).sum()) for part in parts if len(part))
    return line <= stepped * (1.0 + SLOPE / len(values) ** 0.5)
