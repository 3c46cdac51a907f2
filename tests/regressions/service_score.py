"""The service's own rule beside the policy of `replay --online --confirm`, on the same series.

`python -m tests.regressions.service_score [--seeds N] [--tuning]`.  The service: its screen, and one
comparison for a suspected build, decided by `benchmarks.sequential`.  Pairs are simulated alike for both.
A level that lasts although the first comparison did not confirm it is compared once more, the newest build
with the last good one; the change is scored at the place that the screen names, which the service's search
among the builds between finds again or leaves as a range.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from dataclasses import replace  # noqa: E402 - the rules read rows in service

from benchmarks.metrics import metric_get  # noqa: E402
from benchmarks.sequential import Budget, SequentialTest, Suspected  # noqa: E402
from perfsite.regressions.replay.score import Tally, changes_score  # noqa: E402
from perfsite.regressions.screening.answer import Answer, timed_judge  # noqa: E402
from perfsite.regressions.screening.rebuild import memory_new  # noqa: E402
from perfsite.regressions.screening.rule import Rule  # noqa: E402
from perfsite.regressions.screening.state import ONLINE_DETECTOR, Doubt  # noqa: E402
from tests.regressions.detection_loom import Series  # noqa: E402
from tests.regressions.detection_pairs import online_with_pairs  # noqa: E402
from tests.regressions.detection_score import (  # noqa: E402
    COLUMNS,
    FIRST_REPORTING,
    GENERATORS,
    PROCESSES,
    row,
)

# the sets hold changes of a few noises, so the smallest one worth telling is that of the replay
METRIC = replace(metric_get("latency_p50"), relevant=0.01)
RULE = Rule()


def service_told(series: Series, seed: int) -> tuple[list[tuple[int, int]], int]:
    """What the service would tell, as (accused build, newest build then), and the runs it took."""
    rng = np.random.default_rng([seed, 6])
    memory, asked, runs = memory_new(metric=METRIC, rule=RULE), set(), 0
    told: list[tuple[int, int]] = []
    for place, value in enumerate(series.values.tolist()):
        taken = memory.take(place, value, unstable=False)
        answer = timed_judge(memory, taken=taken, metric=METRIC, rule=RULE)
        if answer is None or not answer.is_suspicious:
            continue
        suspect = answer.start
        if suspect in asked:
            if answer.detector != ONLINE_DETECTOR:
                continue
            memory.level_begin(suspect)
            if place in asked:
                continue
            suspect = place  # the level lasts: all of it is compared
        asked.add(suspect)
        test = compared(series, answer, suspect, rng)
        runs += 2 * len(test.a)
        if test.is_change:
            told.append((answer.start, place))
        left = not test.is_change and (test.verdict == "same" or len(test.a) < test.budget.most)
        memory.doubt = Doubt(0, suspect, answer.score)
        memory.settle(changed=test.is_change, cleared=left)
    return told, runs


def compared(series: Series, answer: Answer, suspect: int, rng: np.random.Generator) -> SequentialTest:
    """The comparison of the good build and the suspect, as a worker runs it."""
    change = answer.change
    suspected = Suspected(change.before, change.after, change.relative, answer.score)
    test = SequentialTest(METRIC, suspected=suspected, budget=Budget())
    while count := test.wanted:
        noise = np.exp(series.short * rng.standard_normal((2, count)))
        levels = series.level[answer.good], series.level[suspect]
        test.take((levels[0] * noise[0]).tolist(), (levels[1] * noise[1]).tolist())
    return test


def score_one(task: tuple[str, int]) -> dict[str, Tally]:
    """Both on one series."""
    name, seed = task
    series = GENERATORS[name].series_generate(seed)
    tallies = {}
    for who, judge in (("service", service_told), ("policy", online_with_pairs)):
        told, runs = judge(series, seed)
        tallies[who] = changes_score(series.events, told, len(series.values))
        tallies[who].runs = runs
    return tallies


def main() -> None:
    """Parse the options and print two rows for each set."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=150)
    options.add_argument("--tuning", action="store_true", help="the seeds from 1")
    chosen = options.parse_args()
    for name, first in FIRST_REPORTING.items():
        start = 1 if chosen.tuning else first
        tasks = [(name, seed) for seed in range(start, start + chosen.seeds)]
        with multiprocessing.Pool(PROCESSES) as pool:
            results = pool.map(score_one, tasks, chunksize=10)
        print(f"\n{name}, seeds {start} to {start + chosen.seeds - 1}\n{'':14} {COLUMNS}")
        for who in ("service", "policy"):
            total = Tally()
            for tallies in results:
                total.add(tallies[who])
            print(row(who, total), flush=True)


if __name__ == "__main__":
    main()
