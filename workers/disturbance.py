"""Which doubts about the two blocks of a pair forbid to hold their numbers against each other.

Of a report's remarks only those count that mark numbers as unstable, and of these the ones that tell of the
machine.  The others tell of the build or of the way it was measured (an overloaded server, wrong answers,
few samples, a warm-up that never settled): both builds are measured alike, quick suites on a processor say
such things nearly always, and for a build that did become so it would hide the very regression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.cases import Case
from benchmarks.report import Remark, Report

DEVICE = frozenset({"throttled", "held-back", "foreign-process"})
"""The device was held back or shared, by an unknown amount: such a block says nothing of its build.

A clock that moved (`clock-moved`) is none of these: a GPU boosts under either build, which is in the spread.
"""
CORES = frozenset({"disturbed", "cpu-busy", "cpu-stolen", "energy-shared"})
"""Others worked on the cores.

On a machine where they always do both blocks tell so, and are alike, and the pairs' spread shows it; where
one block alone does, the difference would be taken for the build's.
"""


def disturbances(cases: Sequence[Case], good: Report, suspect: Report) -> Iterator[tuple[int, str]]:
    """The cases, by their index, of which this pair does not count, each with the reason in a sentence."""
    for index, case in enumerate(cases):
        told = {"good": _doubts(good, case), "suspect": _doubts(suspect, case)}
        shared = all(any(one.code in CORES for one in doubts) for doubts in told.values())
        for word, doubts in told.items():
            reason = next((one for one in doubts if one.code in DEVICE or not shared), None)
            if reason is not None:
                yield index, f"while the {word} build was measured, {reason.sentence}"[:2000]
                break


def _doubts(report: Report, case: Case) -> list[Remark]:
    known = (one for one in report.remarks if one.unstable and one.case in (None, case))
    return [one for one in known if one.code in DEVICE | CORES]
