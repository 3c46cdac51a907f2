"""The parts of a change as one bar: what raised the value right of zero, what lowered it left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A part of the bar: its cause, where it starts and how wide it is, in per cent of the bar."""

    cause: str
    relative: float
    x: float
    width: float

    @property
    def mark(self) -> str:
        """The cause as the name of a CSS class."""
        return self.cause.replace(" ", "-")


@dataclass(frozen=True)
class CauseBar:
    """The bar's pieces; `zero` is where nothing is, in per cent of its width."""

    pieces: tuple[Piece, ...]
    zero: float


def cause_bar(parts: Sequence[tuple[str, float | None]]) -> CauseBar | None:
    """The parts `(cause, relative)` in their order; None when none of them has any size."""
    sized = [(cause, relative) for cause, relative in parts if relative]
    whole = sum(abs(relative) for _, relative in sized)
    if not whole:
        return None
    scale = 100 / whole
    left = zero = -sum(relative for _, relative in sized if relative < 0) * scale
    right = zero
    pieces = []
    for cause, relative in sized:
        width = abs(relative) * scale
        if relative > 0:
            start, right = right, right + width
        else:
            left = start = left - width
        pieces.append(Piece(cause, relative, round(start, 2), round(width, 2)))
    return CauseBar(tuple(pieces), round(zero, 2))
