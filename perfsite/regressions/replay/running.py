"""A line of a series in, a line of its changes out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.metrics import Better
from perfsite.regressions.detection import (
    Budget,
    OnlineScreen,
    PairScreen,
    Spending,
    Told,
    changes_find,
    changes_told,
)
from perfsite.regressions.replay.asking import Asker, Write, pairs_ask
from perfsite.regressions.replay.comparisons import Row, comparison_row, finding_row
from perfsite.regressions.replay.lines import LineError, Series, Source, series_read
from perfsite.regressions.replay.score import Tally, changes_score
from perfsite.regressions.replay.service import ServiceScreen, metric_plain

RuleName = Literal["pairs", "service"]


@dataclass(frozen=True)
class Options:
    """How to replay; `relevant` is relative, `grain` in the values' unit.

    Of the rules with pairs: which one, the most `pairs` of a suspicion, and the share `alpha` of false
    confirmations that is allowed; None is the rule's own.
    """

    online: bool = False
    confirm: bool = False
    score: bool = False
    relevant: float = 0.01
    grain: float = 0.0
    rule: RuleName = "pairs"
    pairs: int | None = None
    alpha: float | None = None


@dataclass(frozen=True)
class Answer:
    """What is said about one series: its changes; with pairs also the comparisons and the runs they took."""

    changes: list[Row]
    comparisons: list[Row] | None = None
    runs: int = 0

    @property
    def row(self) -> Row:
        """The line, but for the name."""
        if self.comparisons is None:
            return {"changes": self.changes}
        return {"changes": self.changes, "comparisons": self.comparisons, "pairs": self.runs // 2}


def replay(lines: Iterator[bytes], write: Write, complain: Callable[[str], None], options: Options) -> bool:
    """Replay every line; whether all of them could be used.  `complain` hears of those that could not."""
    work = _Work(Source(lines), write, complain, options)
    while (text := work.source.next()) is not None:
        if text.strip():
            work.line(text)
    if options.score:
        write({"score": score_row(work.tally, options)})
    return not work.bad


class _Work:
    """What goes through one replay."""

    def __init__(
        self, source: Source, write: Write, complain: Callable[[str], None], options: Options
    ) -> None:
        self.source, self.write, self.options = source, write, options
        self.tally, self.bad, self._complain = Tally(), 0, complain

    def line(self, text: bytes) -> None:
        """Answer one line, or say why it cannot be."""
        number = self.source.number
        try:
            series = series_read(text, labelled=self.options.score)
            answer = self.answer(series)
        except LineError as error:
            self.complain(f"line {number}: {error}")
            return
        self.write({"name": series.name, **answer.row})
        if self.options.score:
            self.tally.add(series_score(series, answer))

    def complain(self, sentence: str) -> None:
        """Tell of a line that is bad."""
        self.bad += 1
        self._complain(sentence)

    def answer(self, series: Series) -> Answer:
        """What one series' line says."""
        options = self.options
        if not options.online:
            found = changes_find(series.values, relevant=options.relevant, grain=options.grain)
            return Answer(
                [change_row(series, one.index, one.before, one.after, one.relative) for one in found]
            )
        if options.confirm:
            return self.confirmed(series)
        screen = OnlineScreen(relevant=options.relevant, grain=options.grain)
        return Answer([told_row(series, told) for told in changes_told(series.values, screen)])

    def confirmed(self, series: Series) -> Answer:
        """The suspicions that pairs were asked for, and of these the changes."""
        screen = asker_make(series, self.options)
        changes: list[Row] = []
        comparisons: list[Row] = []
        for at, value in enumerate(series.values):
            screen.take(value)
            told = pairs_ask(screen, series, self.source, self.write, self.complain)
            finding = screen.finding
            if finding is None or finding.asked_at != at:
                continue
            if told:
                changes.append({**told_row(series, told), **finding_row(series, finding)})
            if told or finding.spent:
                comparisons.append(comparison_row(series, finding, told=told is not None))
        return Answer(changes, comparisons, screen.runs)


def asker_make(series: Series, options: Options) -> Asker:
    """The rule with pairs that the options name."""
    if options.rule == "service":
        budget = Budget(most=options.pairs or Budget.most, alpha=options.alpha or Budget.alpha)
        better: Better = "lower" if series.lower_is_better else "higher"
        metric = metric_plain(better=better, relevant=options.relevant, grain=options.grain)
        return ServiceScreen(metric, budget)
    spending = Spending(most=options.pairs or Spending.most, alpha=options.alpha or Spending.alpha)
    return PairScreen(spending, relevant=options.relevant, grain=options.grain)


def change_row(series: Series, index: int, before: float, after: float, relative: float) -> Row:
    """A change as it is written; `index` counts measured builds, the row all of them."""
    worse = (relative > 0) == series.lower_is_better
    return {
        "index": series.builds[index],
        "direction": "regressed" if worse else "improved",
        "before": before,
        "after": after,
        "relative": relative,
    }


def told_row(series: Series, told: Told) -> Row:
    """A change that was told online."""
    row = change_row(series, told.index, told.before, told.after, told.relative)
    return {**row, "detected_at": series.builds[told.detected_at]}


def series_score(series: Series, answer: Answer) -> Tally:
    """The score of one series; a label on a gap stands for the next measured build."""
    measured = series.builds
    places = [bisect_left(measured, label) for label in series.labels or ()]
    starts = sorted({measured[place] for place in places if place < len(measured)})
    last = series.length - 1
    told = [(int(str(row["index"])), int(str(row.get("detected_at", last)))) for row in answer.changes]
    tally = changes_score([(start, start) for start in starts], told, series.length)
    tally.runs = answer.runs
    return tally


def score_row(tally: Tally, options: Options) -> Row:
    """The score as it is written; None where there is nothing to divide by."""
    row: Row = {
        "points": tally.builds,
        "labels": tally.events,
        "told": tally.told,
        "precision": tally.precision,
        "recall": tally.recall,
        "f1": tally.f1,
        "false_per_1000": tally.false_rate,
        "misplaced_or_doubled": tally.astray,
    }
    if options.online:
        row |= {"delay_median": tally.delay(0.5), "delay_p90": tally.delay(0.9), "within_5": tally.soon}
    if options.confirm:
        row |= {"runs_per_point": tally.runs / tally.builds if tally.builds else None}
    return row
