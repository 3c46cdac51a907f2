"""Generated series with known truth, and the score of a screen with and without comparisons.

Nine kinds of noise; half of the series have one to three steps of 2 to 20 %, the others none.  The
seeds 1 to 99 are for tuning; figures are reported on 1,001 and up, which nobody tuned on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from perfsite.regressions.detection import screen

KINDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy": lambda rng, n: rng.standard_t(3, size=n) / np.sqrt(3),
    "skewed": lambda rng, n: rng.exponential(size=n) - 1,
    "spiky": lambda rng, n: rng.normal(size=n) + (rng.random(n) < 0.05) * rng.uniform(4, 15, size=n),
    "bimodal": lambda rng, n: rng.normal(size=n) * 0.4 + (rng.random(n) < 0.3) * 3.0,
    "quantised": lambda rng, n: np.round(rng.normal(size=n)),
    "wander": lambda rng, n: _autoregressive(rng, n, 0.7),
    "season": lambda rng, n: 0.7 * rng.normal(size=n) + np.sin(np.arange(n) / 11 + rng.uniform(0, 6)),
    "bursts": lambda rng, n: rng.normal(size=n) * np.where(np.arange(n) // 25 % 4 == 3, 2.0, 0.8),
}


def _autoregressive(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    shocks = rng.normal(size=n) * np.sqrt(1 - memory**2)
    values = np.empty(n)
    last = rng.normal()
    for i, shock in enumerate(shocks):
        values[i] = last = memory * last + shock
    return values


@dataclass(frozen=True)
class Truth:
    """A series and what is true about it: `level` without noise, `steps` the first index of each level."""

    kind: str
    values: np.ndarray
    level: np.ndarray
    steps: tuple[int, ...]
    sigma: float


def series_generate(seed: int, *, points: int = 120, noisiest: float = 0.05) -> Truth:
    """One series: noise of 0.3 % to `noisiest` of one kind, and no or up to three steps."""
    rng = np.random.default_rng(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    sigma = float(np.exp(rng.uniform(np.log(0.003), np.log(noisiest))))
    steps: list[int] = []
    level = np.full(points, 10.0 ** rng.uniform(-4, 0))
    if rng.random() < 0.5:
        steps = sorted(int(s) for s in rng.choice(np.arange(8, points - 6, 12), rng.integers(1, 4), False))
        for step in steps:
            size = np.exp(rng.uniform(np.log(0.02), np.log(0.2)))
            level[step:] *= 1 + size if rng.random() < 0.6 else 1 / (1 + size)
    return Truth(kind, level * (1 + sigma * KINDS[kind](rng, points)), level, tuple(steps), sigma)


@dataclass
class Score:
    """Counts over many series; rates are properties."""

    points: int = 0
    steps: int = 0
    ordered: int = 0  # comparisons
    false: int = 0  # comparisons that found no change
    delays: list[int] = field(default_factory=list)
    by_kind: dict[str, list[int]] = field(default_factory=dict)

    @property
    def caught(self) -> float:
        return len(self.delays) / max(self.steps, 1)

    @property
    def within_5(self) -> float:
        return sum(delay < 5 for delay in self.delays) / max(self.steps, 1)

    @property
    def at_once(self) -> float:
        return sum(delay == 0 for delay in self.delays) / max(self.steps, 1)

    @property
    def false_per_1000(self) -> float:
        return 1000 * self.false / max(self.points, 1)


def screen_score(seeds: range, *, relevant: float = 0.03, **kwargs: float) -> Score:
    """Feed the series of `seeds` one point at a time, as the service would.

    A comparison tells the truth: the level moved between the base and the accused build or not.  So
    `caught` counts steps put at exactly the right build.  As in the service a build is accused once,
    a confirmed change starts a new level, and refuted points are `cleared`.
    """
    score = Score()
    for seed in seeds:
        _series_score(series_generate(seed, **kwargs), relevant, score)
    return score


def _series_score(truth: Truth, relevant: float, score: Score) -> None:
    level_start, cleared = 0, []
    tally = score.by_kind.setdefault(truth.kind, [0, 0, 0, 0])
    score.points += len(truth.values)
    score.steps += len(truth.steps)
    tally[0] += len(truth.steps)
    tally[3] += len(truth.values)
    for index in range(1, len(truth.values)):
        found = screen(
            truth.values[max(0, index - 199) : index + 1],
            better="lower", relevant=relevant, grain=0.0, level_start=level_start, cleared=cleared,
        )  # fmt: skip
        if not found.is_suspicious or found.start in cleared:
            continue
        score.ordered += 1
        if found.start in truth.steps:
            score.delays.append(index - found.start)
            level_start, cleared = found.start, []
            tally[1] += 1
        else:
            score.false += 1
            tally[2] += 1
            cleared.append(found.start)


def main() -> None:
    """Print the score on the reporting seeds, as the README of the room shows it."""
    score = screen_score(range(1001, 1271))
    print(f"series 270, points {score.points}, steps {score.steps}")
    print(f"caught {score.caught:.2f}, at once {score.at_once:.2f}, within 5 builds {score.within_5:.2f}")
    ordered = 1000 * score.ordered / score.points
    print(f"comparisons per 1,000 points {ordered:.1f}, in vain {score.false_per_1000:.1f}")
    for kind, (steps, caught, false, points) in score.by_kind.items():
        print(f"{kind:10} caught {caught:2} of {steps:2}, in vain per 1,000 {1000 * false / points:.1f}")


if __name__ == "__main__":
    main()
