"""How right the service's screen is: `python -m tests.regressions.screening_truth [--tune]`.

Series of `detection_truth` on reporting seeds, and young ones: 24 points, half of them with one step of
20 %, which is the shape of a new project and of the demo.  Comparisons are simulated as perfect.  `--tune`
tries on tuning seeds from how many points on the online screen should judge a level.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from unittest.mock import patch

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from benchmarks.metrics import metric_get  # noqa: E402 - the rules read rows in service
from perfsite.regressions.screening import answer as screening_answer  # noqa: E402
from perfsite.regressions.screening.rule import Rule  # noqa: E402
from perfsite.regressions.screening.state import ONLINE_DETECTOR, Doubt, memory_new  # noqa: E402
from tests.regressions.detection_truth import KINDS, Score, Truth, series_generate  # noqa: E402

METRIC, RULE = metric_get("latency_p50"), Rule()


def young_generate(seed: int, *, points: int = 24) -> Truth:
    """A young series: noise of 1 to 6 % of one kind; every other one has a step of 20 %."""
    rng = np.random.default_rng(9000 + seed)
    kind = list(KINDS)[seed % len(KINDS)]
    sigma = float(np.exp(rng.uniform(np.log(0.01), np.log(0.06))))
    level, steps = np.full(points, 1.0), ()
    if rng.random() < 0.5:
        steps = (int(rng.integers(5, points - 2)),)
        level[steps[0] :] = 1.2
    return Truth(kind, level * (1 + sigma * KINDS[kind](rng, points)), level, steps, sigma)


def screen_score(series: Iterable[Truth], *, young: int) -> Score:
    """The score of the service's screen when it gives levels of `young` points to the online screen."""
    score = Score()
    with patch.object(screening_answer, "YOUNG", young):
        for truth in series:
            _series_score(truth, score)
    return score


def _series_score(truth: Truth, score: Score) -> None:
    memory = memory_new(metric=METRIC, rule=RULE)
    asked = set()
    score.points += len(truth.values)
    score.steps += len(truth.steps)
    for place, value in enumerate(truth.values.tolist()):
        taken = memory.take(place, value, unstable=False)
        answer = screening_answer.timed_judge(memory, taken=taken, metric=METRIC, rule=RULE)
        if answer is None or not answer.is_suspicious:
            continue
        if answer.start in asked:
            if answer.detector == ONLINE_DETECTOR:
                memory.level_begin(answer.start)
            continue
        asked.add(answer.start)
        score.ordered += 1
        changed = truth.level[answer.good] != truth.level[answer.start]
        if changed:
            score.delays.append(place - min(step for step in truth.steps if step > answer.good))
        else:
            score.false += 1
        memory.doubt = Doubt(0, answer.start, answer.score)
        memory.settle(changed=changed, cleared=not changed)


def main() -> None:
    """Print a row for each limit and kind of series."""
    tunes = "--tune" in sys.argv[1:]
    old, fresh = (range(1, 61), range(1, 271)) if tunes else (range(1001, 1271), range(1001, 1500))
    kinds = {
        "120 points": [series_generate(seed) for seed in old],
        "24 points": [young_generate(seed) for seed in fresh],
    }
    for young in (6, 10, 16, 24, 1000) if tunes else (screening_answer.YOUNG,):
        for name, series in kinds.items():
            score = screen_score(series, young=young)
            print(
                f"{young:4} {name:10} {len(series)} series, {score.steps} steps: "
                f"caught {score.caught:.2f} at once {score.at_once:.2f} within 5 {score.within_5:.2f} "
                f"per 1,000 points: ordered {1000 * score.ordered / score.points:.1f} "
                f"in vain {score.false_per_1000:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
