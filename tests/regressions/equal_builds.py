"""How often equal builds are told apart: comparisons of nothing, many at once, with a look after every pair.

`python -m tests.regressions.equal_builds [--experiments N] [--pairs N] [--seed S]` prints a row for each
kind of noise.

An experiment is one comparison to the end of its pairs, of runs in the order A B B A that share one disturbed
machine; what the screen suspected is a step of 1 to 4 noises.  The relevant change is 0, so that size alone
refuses nothing.  The service's rule is `benchmarks.sequential`, that of the replay `detection.pairs` with one
place in question; both are written here for all experiments together, and tests hold them against the
originals.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from benchmarks.compare import evidence_against_zero
from benchmarks.sequential import ABOUT, Budget
from perfsite.regressions.detection import Spending
from perfsite.regressions.detection.pairs import _QUANTILES, _SCALE_LOGS, _SCALES, FREEDOM

NOISE = 0.01  # of one run: the standard deviation of its logarithm
PAIRS = Budget.most
SURE = 0.99  # of the upper bound of a rate
Runs = np.ndarray  # shape (experiments, runs), in the order in which they were run


def _sticky(rng: np.random.Generator, shape: tuple[int, int], *, leave: float, share: float) -> Runs:
    """States 0 and 1 that last for 1 / `leave` runs about; `share` of the runs are in state 1."""
    states = np.empty(shape, dtype=bool)
    states[:, 0] = rng.random(shape[0]) < share
    for run in range(1, shape[1]):
        moves = rng.random(shape[0]) < leave
        states[:, run] = np.where(moves, rng.random(shape[0]) < share, states[:, run - 1])
    return states.astype(float)


def _follows(rng: np.random.Generator, shape: tuple[int, int], memory: float) -> Runs:
    """Autocorrelated: each run keeps `memory` of the one before; the standard deviation is 1."""
    runs = rng.standard_normal(shape)
    for run in range(1, shape[1]):
        runs[:, run] = memory * runs[:, run - 1] + (1 - memory**2) ** 0.5 * runs[:, run]
    return runs


def _drifts(rng: np.random.Generator, shape: tuple[int, int]) -> Runs:
    """A machine that warms or cools: a line of half a noise a run, and a walk of its own."""
    line = 0.5 * rng.choice([-1.0, 1.0], (shape[0], 1)) * np.arange(shape[1])
    return line + rng.standard_normal(shape) + 0.5 * rng.standard_normal(shape).cumsum(axis=1)


def _bursts(rng: np.random.Generator, shape: tuple[int, int]) -> Runs:
    """Something else runs for three runs about, and slows them by 5 to 15 noises."""
    slowed = _sticky(rng, shape, leave=0.35, share=0.08) * rng.uniform(5, 15, shape)
    return rng.standard_normal(shape) + slowed


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Runs]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy tails (t, 3 degrees)": lambda rng, shape: rng.standard_t(3, shape) / 3**0.5,
    "skewed (lognormal)": lambda rng, shape: np.exp(rng.standard_normal(shape)) / 2.16,
    "outliers (5 %, 4 to 15 noises)": lambda rng, shape: (
        rng.standard_normal(shape) + (rng.random(shape) < 0.05) * rng.uniform(4, 15, shape)
    ),
    "bursts of three runs": _bursts,
    "drift and walk": _drifts,
    "autocorrelated (0.8)": lambda rng, shape: _follows(rng, shape, 0.8),
    "opposed (-0.5)": lambda rng, shape: _follows(rng, shape, -0.5),
    "two modes, each run its own": lambda rng, shape: (
        rng.standard_normal(shape) + 6.0 * (rng.random(shape) < 0.5)
    ),
    "two modes, sticky": lambda rng, shape: (
        rng.standard_normal(shape) + 6.0 * _sticky(rng, shape, leave=0.2, share=0.5)
    ),
    "two modes, hardly noise": lambda rng, shape: (
        0.01 * rng.standard_normal(shape) + (rng.random(shape) < 0.5)
    ),
    "quantised (a grain of two noises)": lambda rng, shape: (
        2.0 * np.rint(rng.standard_normal(shape) / 2.0 + rng.random((shape[0], 1)))
    ),
    "noise that changes (half to twice)": lambda rng, shape: (
        rng.standard_normal(shape) * np.exp2(_follows(rng, shape, 0.9))
    ),
    "twice as wide as the series": lambda rng, shape: 2.0 * rng.standard_normal(shape),
}


@dataclass(frozen=True)
class Experiments:
    """Effects of pairs, shape (n, pairs), with the suspected step and its score, shape (n,)."""

    effects: np.ndarray
    step: np.ndarray
    score: np.ndarray


def experiments_make(kind: str, count: int, *, seed: int, pairs: int = PAIRS) -> Experiments:
    """Comparisons of equal builds under that kind of noise."""
    rng = np.random.default_rng([seed, list(NOISES).index(kind)])
    runs = NOISE * NOISES[kind](rng, (count, 2 * pairs))
    first, second = runs[:, 0::2], runs[:, 1::2]
    turns = np.where(np.arange(pairs) % 2 == 0, 1.0, -1.0)  # the good build goes first in every other pair
    step = NOISE * rng.uniform(1.0, 4.0, count) * rng.choice([-1.0, 1.0], count)
    return Experiments(turns * (second - first), step, rng.uniform(2.8, 6.0, count))


def service_told(made: Experiments, budget: Budget) -> np.ndarray:
    """In which experiments `benchmarks.sequential` tells the suspected change, shape (n,)."""
    told = np.zeros(len(made.step), dtype=bool)
    going = ~told
    for n in range(budget.first, made.effects.shape[1] + 1):
        seen = made.effects[:, :n]
        mean, deviation = seen.mean(axis=1), seen.std(axis=1, ddof=1)
        certain = evidence_against_zero(mean, deviation, n) >= 1 / budget.alpha
        told |= going & certain & (mean * made.step > 0)
        refuted = _refuted(made, mean, (n - 1) * deviation**2, n, budget)
        alike = (mean == 0) & (deviation == 0)
        going &= ~told & ~refuted & ~alike
    return told


def _refuted(made: Experiments, mean: np.ndarray, squares: np.ndarray, n: int, budget: Budget) -> np.ndarray:
    """Where no change is likelier than the suspected one by far."""
    aim = ABOUT * np.abs(made.step)
    variance = (squares + 4.0 * (made.step / made.score) ** 2) / (n + 1)
    against = aim / 2.0 - np.sign(made.step) * mean
    return n * aim * against > variance * np.log(budget.futile)


def policy_bounds(made: Experiments, *, error: float = 0.3 * NOISE) -> Iterator[np.ndarray]:
    """The bound of `pairs_weigh` after each pair, shape (n,) each; one place."""
    steps = made.step[:, None] + error * _QUANTILES
    prior = np.where(steps * made.step[:, None] > 0, -0.5 * _QUANTILES**2, -np.inf)
    prior -= np.log(np.exp(prior).sum(axis=1, keepdims=True))
    scales = _SCALES * NOISE * 2**0.5
    still = np.zeros((len(steps), len(scales)))
    moved = np.zeros((len(steps), len(scales), len(_QUANTILES)))
    for effect in made.effects.T:
        still += _student(effect[:, None] / scales) - np.log(scales)
        moved += _student((effect[:, None] - steps)[:, None, :] / scales[:, None]) - np.log(scales)[:, None]
        joint = (moved + _SCALE_LOGS[:, None] + prior[:, None, :]).reshape(len(steps), -1)
        yield np.logaddexp.reduce(joint, axis=1) - still.max(axis=1)


def policy_told(made: Experiments, alpha: float) -> np.ndarray:
    """In which experiments the policy of the replay confirms, if it never leaves early, shape (n,)."""
    return np.logical_or.reduce([found >= -np.log(alpha) for found in policy_bounds(made)])


def _student(t: np.ndarray) -> np.ndarray:
    return -(FREEDOM + 1.0) / 2.0 * np.log1p(np.square(t) / FREEDOM)


RULES: dict[str, tuple[float, Callable[[Experiments], np.ndarray]]] = {
    "service": (Budget.alpha, lambda made: service_told(made, Budget())),
    "policy": (Spending.alpha, lambda made: policy_told(made, Spending.alpha)),
}


def upper(false: int, experiments: int) -> float:
    """The rate that is not exceeded, with confidence `SURE` (Clopper and Pearson 1934)."""
    return float(beta.ppf(SURE, false + 1, experiments - false)) if false < experiments else 1.0


def main() -> None:
    """Print false verdicts and the upper bound of their rate, for each kind and rule."""
    options = argparse.ArgumentParser()
    options.add_argument("--experiments", type=int, default=100_000)
    options.add_argument("--pairs", type=int, default=PAIRS, help="after how many a comparison ends")
    options.add_argument("--seed", type=int, default=2)
    chosen = options.parse_args()
    print(f"{chosen.experiments:,} comparisons of each kind, {chosen.pairs} pairs, a look after each pair")
    for kind in NOISES:
        made = experiments_make(kind, chosen.experiments, seed=chosen.seed, pairs=chosen.pairs)
        cells = []
        for name, (alpha, rule) in RULES.items():
            false = int(rule(made).sum())
            bound = upper(false, chosen.experiments)
            kept = "" if bound <= alpha else "  BROKEN"
            cells.append(f"{name} {false:5} at most {bound:7.3%} of {alpha:.1%}{kept}")
        print(f"{kind:36} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
