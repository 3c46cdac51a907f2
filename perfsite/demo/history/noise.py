"""How measured numbers scatter: kinds of noise seen on real machines, as relative deviations (pure)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Noise = NDArray[np.float64]


def _gaussian(rng: np.random.Generator, points: int) -> Noise:
    return rng.standard_normal(points)


def _heavy_tailed(rng: np.random.Generator, points: int) -> Noise:
    """Student's t with three degrees of freedom, scaled to a variance of one."""
    return rng.standard_t(3, points) / np.sqrt(3.0)


def _drifting(rng: np.random.Generator, points: int) -> Noise:
    """A slow wander beside white noise: the temperature of a room, a filling disk."""
    steps = np.cumsum(rng.standard_normal(points)) / 30
    window = np.ones(200) / 200
    slow = steps - np.convolve(np.pad(steps, 100, mode="edge"), window, mode="same")[100:-100]
    return 0.8 * rng.standard_normal(points) + slow


def _bimodal(rng: np.random.Generator, points: int) -> Noise:
    """Two clock states: a tenth of the runs is in the slower one."""
    return 0.5 * rng.standard_normal(points) + 2.5 * (rng.random(points) < 0.1)


def _spiky(rng: np.random.Generator, points: int) -> Noise:
    """Quiet, but one run in a hundred was disturbed."""
    return 0.7 * rng.standard_normal(points) + rng.exponential(8.0, points) * (rng.random(points) < 0.01)


def _breathing(rng: np.random.Generator, points: int) -> Noise:
    """The spread itself changes: calm weeks and busy ones."""
    width = np.exp(0.6 * np.sin(np.linspace(0, 12 * np.pi, points) + rng.uniform(0, 6)))
    return width * rng.standard_normal(points)


def _quantised(rng: np.random.Generator, points: int) -> Noise:
    """A clock with a coarse grain."""
    return np.round(rng.standard_normal(points) * 2) / 2


NOISES: dict[str, Callable[[np.random.Generator, int], Noise]] = {
    "gaussian": _gaussian,
    "heavy_tailed": _heavy_tailed,
    "drifting": _drifting,
    "bimodal": _bimodal,
    "spiky": _spiky,
    "breathing": _breathing,
    "quantised": _quantised,
}


def noise_make(rng: np.random.Generator, kind: str, *, points: int, spread: float) -> Noise:
    """Relative deviations, shape (points,): 0.01 is 1 % above the level; `spread` is their scale."""
    return spread * NOISES[kind](rng, points)
