"""What the service itself does with one series: its eager screen, and a comparison of each suspected build.

The screen is that of the service (`screening/`), its state too; the comparison is decided by
`benchmarks.sequential`, as in a worker's lease.  A build is doubted once.  One that the online screen names
again stands on a level that lasts: the newest build is compared with the last good one, once.
"""

from __future__ import annotations

from statistics import median

from benchmarks.metrics import Better, Metric
from benchmarks.sequential import Budget, SequentialTest, Suspected
from perfsite.regressions.detection import Ask, Asking, Finding, Told
from perfsite.regressions.screening.answer import Answer, timed_judge
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import ONLINE_DETECTOR, Doubt, memory_new


def metric_plain(*, better: Better, relevant: float, grain: float) -> Metric:
    """A timed metric of which nothing else is known."""
    return Metric("value", "The value", "1", better, relevant, grain, str)


class ServiceScreen:
    """One series as the service judges it; pairs are asked for and answered as those of `PairScreen`."""

    def __init__(self, metric: Metric, budget: Budget | None = None, rule: Rule | None = None) -> None:
        self.metric, self.budget, self.rule = metric, budget or Budget(), rule or Rule()
        self.memory = memory_new(metric=metric, rule=self.rule)
        self.finding: Finding | None = None
        self.runs = 0
        self._count, self._taken, self._asked = 0, False, set[int]()

    def take(self, value: float) -> None:
        """Take the newest value without judging."""
        self._taken = self.memory.take(self._count, value, unstable=False)
        self._count += 1

    def asking(self) -> Asking:
        """After `take`: yields each wish, is sent the values of both builds, returns the change to tell.

        Raises:
            ValueError: unequal lengths, or a value that is not finite.
        """
        answer = timed_judge(self.memory, taken=self._taken, metric=self.metric, rule=self.rule)
        suspect = self._suspect(answer)
        if answer is None or suspect is None:
            return None
        self._asked.add(suspect)
        change = answer.change
        suspected = Suspected(change.before, change.after, change.relative, answer.score)
        test = SequentialTest(self.metric, suspected=suspected, budget=self.budget)
        while count := test.wanted:
            test.take(*(yield Ask(answer.good, suspect, count)))
        self.runs += 2 * len(test.a)
        self._settle(answer, suspect, test)
        return self._told(answer, suspect, test)

    def _suspect(self, answer: Answer | None) -> int | None:
        """The build to compare, None where there is nothing to ask."""
        if answer is None or not answer.is_suspicious:
            return None
        if answer.start not in self._asked:
            return answer.start
        if answer.detector != ONLINE_DETECTOR:
            return None
        self.memory.level_begin(answer.start)
        newest = self._count - 1
        return None if newest in self._asked else newest

    def _settle(self, answer: Answer, suspect: int, test: SequentialTest) -> None:
        """Let the screen know, as the service does from the verdict's row."""
        refuted = test.result is not None and not test.is_change and test.result.evidence < 1.0
        self.memory.doubt = Doubt(0, suspect, answer.score)
        self.memory.settle(changed=test.is_change, cleared=test.verdict == "same" or refuted)

    def _told(self, answer: Answer, suspect: int, test: SequentialTest) -> Told | None:
        result = test.result
        if result is None:
            return None
        self.finding = Finding(
            index=answer.start,
            asked_at=self._count - 1,
            rises=result.relative > 0,
            kind="changed" if test.is_change else "same" if test.verdict == "same" else "unknown",
            change=result.relative,
            low=result.relative_low,
            high=result.relative_high,
            level=1.0 - self.budget.alpha,
            evidence=result.evidence,
            pairs=len(test.a),
            spent=len(test.a),
        )
        if not test.is_change:
            return None
        return Told(
            answer.start,
            self._count - 1,
            answer.good,
            suspect,
            median(test.a),
            median(test.b),
            result.relative,
            answer.score,
        )
