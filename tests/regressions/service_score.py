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
from dataclasses import replace

import numpy as np

from benchmarks.metrics import metric_get
from perfsite.regressions.replay.score import Tally, changes_score
from perfsite.regressions.replay.service import ServiceScreen
from tests.regressions.detection_loom import Series
from tests.regressions.detection_pairs import online_with_pairs, told_with_pairs
from tests.regressions.detection_score import COLUMNS, FIRST_REPORTING, GENERATORS, PROCESSES, row

# the sets hold changes of a few noises, so the smallest one worth telling is that of the replay
METRIC = replace(metric_get("latency_p50"), relevant=0.01)


def service_told(series: Series, seed: int) -> tuple[list[tuple[int, int]], int]:
    """What the service would tell, as (accused build, newest build then), and the runs it took."""
    return told_with_pairs(ServiceScreen(METRIC), series, np.random.default_rng([seed, 6]))


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
