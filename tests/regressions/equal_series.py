"""The whole rules on series in which nothing ever changes.

`python -m tests.regressions.equal_series [--series N]` prints a row for each kind of noise and rule.  Screen,
questions, pairs, further questions and the place of a change run as in `manage.py replay --online --confirm`,
on series of one level whose builds and pairs scatter alike.  Every change that is told is false.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perfsite.regressions.detection import PairScreen, Spending
from perfsite.regressions.detection.confirming import Ask
from perfsite.regressions.replay.asking import Asker
from perfsite.regressions.replay.service import ServiceScreen, metric_plain
from tests.regressions.detection_pairs import asked
from tests.regressions.detection_score import PROCESSES
from tests.regressions.equal_builds import NOISE, NOISES, upper

POINTS = 200
FIRST = 600_001  # seeds nobody tuned on
STEADY = tuple(kind for kind in NOISES if kind not in ("drift and walk", "twice as wide as the series"))
RULES: dict[str, Callable[[], Asker]] = {
    "service": lambda: ServiceScreen(metric_plain(better="lower", relevant=0.01, grain=0.0)),
    "policy": PairScreen,
}


@dataclass
class Count:
    """Questions that took pairs, the changes told, and the runs."""

    questions: int = 0
    told: int = 0
    runs: int = 0

    def add(self, other: Count) -> None:
        """Count the other's, too."""
        self.questions += other.questions
        self.told += other.told
        self.runs += other.runs


def series_count(task: tuple[str, str, int]) -> Count:
    """One series of this kind of noise under this rule."""
    rule, kind, seed = task
    rng = np.random.default_rng([seed, list(NOISES).index(kind)])
    values = 1.0 + NOISE * NOISES[kind](rng, (1, POINTS))[0]
    screen, count = RULES[rule](), Count()

    def run(wish: Ask) -> tuple[list[float], list[float]]:
        runs = 1.0 + NOISE * NOISES[kind](rng, (1, 2 * wish.pairs))[0]
        return runs[0::2].tolist(), runs[1::2].tolist()

    for value in values.tolist():
        before = screen.runs
        screen.take(value)
        count.told += asked(screen, run) is not None
        count.questions += screen.runs > before
    count.runs = screen.runs
    return count


def main() -> None:
    """Print a row for each kind and rule."""
    options = argparse.ArgumentParser()
    options.add_argument("--series", type=int, default=300)
    chosen = options.parse_args()
    print(f"{chosen.series} series of {POINTS} builds each; the policy's alpha is {Spending.alpha}")
    for kind in STEADY:
        for rule in RULES:
            tasks = [(rule, kind, seed) for seed in range(FIRST, FIRST + chosen.series)]
            with multiprocessing.Pool(PROCESSES) as pool:
                found = pool.map(series_count, tasks, chunksize=10)
            total = Count()
            for one in found:
                total.add(one)
            builds = chosen.series * POINTS
            most = upper(total.told, max(total.questions, 1))
            print(
                f"{kind:36} {rule:8} {total.questions:5} questions, {total.told:3} told, at most {most:.2%}; "
                f"{1000 * total.told / builds:.2f} per 1,000 builds, {total.runs / builds:.2f} runs a build",
                flush=True,
            )


if __name__ == "__main__":
    main()
