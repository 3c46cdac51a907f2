"""Print the score of the detection: `python -m tests.regressions.detection_score [--seeds N] [--tuning]`.

The reporting seeds are the default.  Comparisons are simulated; other detectors' figures are quoted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time

import numpy as np

from perfsite.regressions.detection import OnlineScreen, changes_find, changes_told
from perfsite.regressions.replay.score import Tally, changes_score
from tests.regressions import (
    detection_ferry,
    detection_kiln,
    detection_loom,
    detection_mill,
    detection_quarry,
)
from tests.regressions.detection_pairs import online_with_pairs

GENERATORS = {
    "loom": detection_loom,
    "quarry": detection_quarry,
    "kiln": detection_kiln,
    "mill": detection_mill,
    "ferry": detection_ferry,
}
FIRST_REPORTING = {"loom": 100_001, "quarry": 200_001, "kiln": 300_001, "mill": 400_001, "ferry": 500_001}
PROCESSES = int(os.environ.get("PROCESSES", "2"))
PERSONAS = ("full pass", "strict", "with runs")

# scored by others on another set of nine kinds of noise, so only roughly comparable
BASELINES = """\
elsewhere                               F1   caught within 5  false per 1,000 quiet points
Apache Otava 0.8, default             0.38    0.88      0.84  13.3
Otava, p 1e-4, 1 %                    0.59    0.83      0.73  6.4
Perfherder t-test                     0.65    0.60      0     0
asv step fit                          0.57    0.60      0.49  6.6
ruptures PELT                         0.19    0.93      0.89  31
told noise, level, step, direction            0.92      0.83  1.0
aim without runs                      0.82    0.85      0.72  0.3  (misplaced or doubled 0.03 per event)
aim with runs                                 0.88      0.80  0.05 (at most 0.25 runs per build)
"""
COLUMNS = "   F1  prec caught    <5 false/k astray  med   p90  runs events"


def score_one(task: tuple[str, int]) -> tuple[str, dict[str, Tally]]:
    """All personas on one series; the kind of its noise beside."""
    name, seed = task
    series = GENERATORS[name].series_generate(seed)
    length = len(series.values)
    found = [(change.index, length - 1) for change in changes_find(series.values)]
    strict = [(told.index, told.detected_at) for told in changes_told(series.values.tolist())]
    eager, runs = online_with_pairs(series, seed)
    told = zip(PERSONAS, (found, strict, eager), strict=True)
    tallies = {persona: changes_score(series.events, changes, length) for persona, changes in told}
    tallies["with runs"].runs = runs
    return series.kind, tallies


def scores(name: str, seeds: range) -> dict[str, dict[str, Tally]]:
    """One generator's tallies by persona and kind of noise; the kind "ALL" holds all."""
    with multiprocessing.Pool(PROCESSES) as pool:
        results = pool.map(score_one, [(name, seed) for seed in seeds], chunksize=10)
    table: dict[str, dict[str, Tally]] = {persona: {"ALL": Tally()} for persona in PERSONAS}
    for kind, tallies in results:
        for persona, tally in tallies.items():
            table[persona]["ALL"].add(tally)
            table[persona].setdefault(kind, Tally()).add(tally)
    return table


def row(name: str, tally: Tally) -> str:
    """One line of the table; the delay of a pass over a finished series means nothing."""
    shares = (tally.f1, tally.precision, tally.recall, tally.soon, tally.false_rate, tally.astray_rate)
    numbers = (*shares, tally.delay(0.5), tally.delay(0.9))
    f1, precision, caught, soon, false, astray, half, most = (n if n is not None else np.nan for n in numbers)
    return (
        f"{name:14} {f1:5.2f} {precision:5.2f} {caught:6.2f} {soon:5.2f} {false:7.2f} {astray:6.2f} "
        f"{half:4.0f} {most:5.0f} {tally.runs / max(tally.builds, 1):5.2f} {tally.events:6}"
    )


def table_print(name: str, seeds: range) -> None:
    """The table of one generator."""
    print(f"\n{name}, seeds {seeds.start} to {seeds.stop - 1}\n{'':14} {COLUMNS}")
    for persona, kinds in scores(name, seeds).items():
        print(f"{persona}:")
        for kind, tally in sorted(kinds.items()):
            print(row(f"  {kind}", tally))


def times_print() -> None:
    """Append time by the length of the history, state size, and the full pass over 10,000 points."""
    values = (1 + 0.01 * np.random.default_rng(3).standard_normal(101_000)).tolist()
    screen, done = OnlineScreen(), 0
    for length in (1_000, 10_000, 100_000):
        for value in values[done:length]:
            screen.take(value)
        done = length + 500
        spent = [append_ms(screen, value) for value in values[length:done]]
        size = len(json.dumps(screen.state()))
        print(f"append at {length:7,} points: {spread(spent)}; state {size} bytes")
    spent = [
        append_ms(screen, value)
        for name, generator in GENERATORS.items()
        for seed in range(FIRST_REPORTING[name], FIRST_REPORTING[name] + 45)
        for screen in [OnlineScreen()]
        for value in generator.series_generate(seed).values.tolist()
    ]
    print(f"append, all kinds, {len(spent):,} points: {spread(spent)}")
    start = time.process_time()
    found = changes_find(np.where(np.arange(10_000) // 500 % 2, 1.05, 1.0) * values[:10_000])
    seconds = time.process_time() - start
    print(f"full pass over 10,000 points: {seconds:.2f} s, {len(found)} of 19 changes told")


def spread(spent: list[float]) -> str:
    """Times as words."""
    p99, most = np.quantile(spent, (0.99, 1.0))
    return f"mean {np.mean(spent):.3f} ms, p99 {p99:.3f}, max {most:.3f}"


def append_ms(screen: OnlineScreen, value: float) -> float:
    """The processor's time for one append, in milliseconds: other programs on the machine do not count."""
    start = time.process_time()
    screen.append(value)
    return 1000 * (time.process_time() - start)


def main() -> None:
    """Parse the options and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=900)
    options.add_argument(
        "--tuning", action="store_true", help="the seeds from 1, which the rule was chosen on"
    )
    options.add_argument("--times", action="store_true", help="only how long it takes")
    chosen = options.parse_args()
    if chosen.times:
        return times_print()
    for name, first in FIRST_REPORTING.items():
        start = 1 if chosen.tuning else first
        table_print(name, range(start, start + chosen.seeds))
    print("\n" + BASELINES)
    return times_print()


if __name__ == "__main__":
    main()
