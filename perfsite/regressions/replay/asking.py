"""The conversation about pairs: one line asks, one line answers."""

from __future__ import annotations

from collections.abc import Callable

from perfsite.regressions.detection import Confirmation
from perfsite.regressions.replay.lines import LineError, Series, Source, pairs_read

Write = Callable[[dict[str, object]], None]


class InputEndedError(LineError):
    """Standard input ended where an answer was awaited."""


def pairs_ask(
    confirmation: Confirmation, series: Series, source: Source, write: Write, complain: Callable[[str], None]
) -> None:
    """Ask until the confirmation is over.  An answer that cannot be used ends it as if no pair could be run.

    Raises:
        InputEndedError: there is no answer.
    """
    suspicion = confirmation.suspicion
    a, b = series.builds[suspicion.last_good], series.builds[suspicion.suspect]
    while wanted := confirmation.wanted:
        write({"ask": {"name": series.name, "a": a, "b": b, "pairs": wanted}})
        text = source.next()
        if text is None:
            raise InputEndedError(f"standard input ended while pairs of builds {a} and {b} were awaited")
        try:
            first, second = pairs_read(text)
        except LineError as error:
            complain(f"line {source.number}, the answer about {series.name!r}: {error}")
            first, second = [], []
        confirmation.take(first, second)
