"""The conversation about pairs: one line asks, one line answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from perfsite.regressions.detection import Asking, Finding, Told
from perfsite.regressions.replay.lines import LineError, Series, Source, pairs_read

Write = Callable[[dict[str, object]], None]


class Asker(Protocol):
    """A rule about one series that asks for pairs: what it found last, and the runs so far."""

    finding: Finding | None
    runs: int

    def take(self, value: float) -> None:
        """Take the newest value without judging."""

    def asking(self) -> Asking:
        """Yields each wish, is sent the values of both builds, returns the change to tell."""


class InputEndedError(LineError):
    """Standard input ended where an answer was awaited."""


def pairs_ask(
    screen: Asker, series: Series, source: Source, write: Write, complain: Callable[[str], None]
) -> Told | None:
    """What the screen tells after its newest value, all its wishes asked.

    An answer that cannot be used counts as if no pair could be run.

    Raises:
        InputEndedError: there is no answer.
    """
    asking = screen.asking()
    answer: tuple[list[float], list[float]] | None = None
    while True:
        try:
            wish = next(asking) if answer is None else asking.send(answer)
        except StopIteration as end:
            return end.value
        a, b = series.builds[wish.a], series.builds[wish.b]
        write({"ask": {"name": series.name, "a": a, "b": b, "pairs": wish.pairs}})
        text = source.next()
        if text is None:
            raise InputEndedError(f"standard input ended while pairs of builds {a} and {b} were awaited")
        try:
            answer = pairs_read(text)
        except LineError as error:
            complain(f"line {source.number}, the answer about {series.name!r}: {error}")
            answer = [], []
