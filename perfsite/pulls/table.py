"""What a pull request's comparisons say: rows, the state of its check, and the comment as Markdown.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.metrics import Metric, metric_get

MARKER = "pull request"
"""What the hidden line calls the comment: by that line the one to edit is found again."""
MOST_ROWS = 40
MOST_TEXT = 500
MOST_SENTENCE = 140  # what GitHub takes

Word = Literal["regressed", "improved", "same", "unknown"]
"""The words of a verdict, as everywhere: regressed is worse, improved is better."""
CheckState = Literal["pending", "success", "failure", "error", "cancelled"]
_SIGNS: dict[Word, str] = {
    "regressed": "▲ regressed",
    "improved": "◆ improved",
    "same": "= same",
    "unknown": "? unknown",
}
_ORDER: tuple[Word, ...] = ("regressed", "improved", "unknown", "same")


@dataclass(frozen=True)
class Row:
    """One metric of one case: medians of both builds in the metric's unit, the change as `head / base - 1`.

    `decides` says whether pairs were run until it was decided, or it is counted: only such a row can fail
    the check.
    """

    case: str
    metric: str
    device_class: str
    base: float
    head: float
    relative: float
    low: float | None
    high: float | None
    word: Word
    pairs: int
    decides: bool

    @property
    def facts(self) -> Metric:
        """The metric's row."""
        return metric_get(self.metric)

    @property
    def sign(self) -> str:
        """The word with a shape beside it, so that colour is never alone."""
        return _SIGNS[self.word]

    @property
    def change(self) -> str:
        """The change with its interval: `+6.9 % [6.1, 7.8]`."""
        text = f"{self.relative * 100:+.1f} %".replace("-", "\N{MINUS SIGN}")
        if self.low is None or self.high is None or self.facts.exact:
            return text
        bounds = f"{self.low * 100:.1f}, {self.high * 100:.1f}".replace("-", "\N{MINUS SIGN}")
        return f"{text} [{bounds}]"

    def fails(self, limit: float) -> bool:
        """Whether it is a confirmed regression of more than `limit`."""
        return self.decides and self.word == "regressed" and abs(self.relative) > limit


@dataclass(frozen=True)
class Outcome:
    """What is known of a pull request's head.

    `open` and `ended` count its comparisons, `missing` has a sentence for each that ended without a result,
    `reason` says why nothing was compared, `limit` is the smallest relative change that fails the check.
    """

    rows: tuple[Row, ...] = ()
    open: int = 0
    ended: int = 0
    missing: tuple[str, ...] = ()
    reason: str = ""
    limit: float = 0.0
    state: str = "planned"

    @property
    def counts(self) -> dict[Word, int]:
        """How many rows say what, in the order in which they matter."""
        return {word: sum(row.word == word for row in self.rows) for word in _ORDER}

    @property
    def failing(self) -> tuple[Row, ...]:
        """The confirmed regressions over the limit."""
        return tuple(row for row in self.rows if row.fails(self.limit))

    @property
    def ordered(self) -> tuple[Row, ...]:
        """The rows with the worst first; of equal words the largest change."""
        return tuple(
            sorted(
                self.rows,
                key=lambda row: (not row.fails(self.limit), _ORDER.index(row.word), -abs(row.relative)),
            )
        )

    @property
    def check(self) -> CheckState:
        """The state of the check: it fails only on a confirmed regression over the limit."""
        if self.state == "superseded":
            return "cancelled"
        if self.failing:
            return "failure"
        if self.open or self.state in ("received", "waiting"):
            return "pending"
        return "error" if self.state == "failed" or self._is_lost else "success"

    @property
    def _is_lost(self) -> bool:
        """Whether comparisons were run and not one had a result: silence is no success."""
        return bool(self.missing) and not self.rows

    @property
    def sentence(self) -> str:
        """The check's description, of 140 characters at most."""
        return _cut(self._sentence(), MOST_SENTENCE)

    def _sentence(self) -> str:
        if self.state == "waiting":
            return "Code from a fork: a maintainer must approve it before it runs"
        if self.state == "superseded":
            return f"Cancelled, not compared: {self.reason}"
        if self.reason:
            return self.reason
        if self.failing:
            worst = self.ordered[0]
            more = f", and {len(self.failing) - 1} more" if len(self.failing) > 1 else ""
            said = f"{worst.facts.title} {worst.change} on "
            # a long case leaves room for how many more there are
            return f"{said}{_cut(worst.case, MOST_SENTENCE - len(said) - len(more))}{more}"
        if self.open:
            return f"Comparing with the merge base: {self.ended} of {self.open + self.ended} done"
        if self.state == "received":
            return "Waits to be planned"
        if self._is_lost:
            return f"Nothing could be compared: {self.missing[0]}"
        lost = f"; {len(self.missing)} could not be compared" if self.missing else ""
        counted = ", ".join(f"{count} {word}" for word, count in self.counts.items() if count)
        return f"No confirmed regression: {counted or 'nothing was measured'}{lost}"


def row_make(comparison: dict, *, device_class: str, label: str, decides: bool) -> Row | None:
    """A row from a report's comparison; None when its metric is unknown to this release."""
    try:
        metric = metric_get(comparison["metric"])
    except ValueError:
        return None
    return Row(
        case=label,
        metric=metric.name,
        device_class=device_class,
        base=_median(comparison["a"]),
        head=_median(comparison["b"]),
        relative=comparison["relative"],
        low=comparison.get("relative_low"),
        high=comparison.get("relative_high"),
        word=comparison["verdict"],
        pairs=len(comparison["a"]),
        decides=decides or metric.exact,
    )


def comment_markdown(outcome: Outcome, *, sha: str, base: str, url: str) -> str:
    """The comment's body: sentence, table, what is missing, where to see more.

    Whatever came from the pull request or from a worker stands there as plain text: it can neither mention
    people nor make links.
    """
    against = (
        f"`{_code(sha[:7])}` against its merge base `{_code(base[:7])}`" if base else f"`{_code(sha[:7])}`"
    )
    parts = [f"**Perfsite: {_plain(outcome.sentence)}**", f"{against}. [Details]({url})"]
    if outcome.rows:
        parts.append(_table(outcome))
    if outcome.missing:
        parts.append("Not compared:\n" + "\n".join(f"- {_plain(text)}" for text in outcome.missing[:10]))
    if outcome.rows:
        over = f"of more than {outcome.limit * 100:g} %" if outcome.limit else "worth telling"
        parts.append(
            "<sub>Both builds ran in turns on one device: regressed is worse, improved is better, unknown is "
            f"what its pairs did not decide. The check fails only on a confirmed regression {over}; rows in "
            "brackets were measured besides and decide nothing.</sub>"
        )
    return "\n\n".join(parts) + "\n"


def _table(outcome: Outcome) -> str:
    lines = [
        "| | metric | case | device | base | head | change [interval] | pairs |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in outcome.ordered[:MOST_ROWS]:
        show = row.facts.format
        sign = row.sign if row.decides else f"({row.sign})"
        cells = (sign, row.facts.title, f"`{_code(row.case)}`", f"`{_code(row.device_class)}`")
        numbers = (show(row.base), show(row.head), row.change, str(row.pairs))
        lines.append(f"| {' | '.join((*cells, *numbers))} |")
    more = len(outcome.rows) - MOST_ROWS
    return "\n".join(lines) + (
        f"\n\nand {more} more row{'s' if more > 1 else ''} on the page" if more > 0 else ""
    )


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _plain(text: str) -> str:
    """One line of text that Markdown, HTML and mentions mean nothing in."""
    flat = _cut(" ".join(text.split()), MOST_TEXT)
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        re.sub(r"([\\`*_\[\]()#|!~@:])", r"\\\1", flat)
        .replace("\\@", "@\N{ZERO WIDTH SPACE}")
        .replace("\\:", ":\N{ZERO WIDTH SPACE}")
    )


def _code(text: str) -> str:
    """Text for a code span inside a table."""
    return text.replace("`", "'").replace("|", "/").replace("\n", " ")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
