"""What a benchmark says: rows with a value, the floor beside it, and whether the aim is met (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

GROWTH_MOST = 2.0
"""How much worse than at a tenth of the rows a value may be."""


@dataclass(frozen=True)
class Row:
    """One figure.  `value` and `floor` are in `unit`; `ratio` is value over floor; `better` is `more` or
    `less`; `points` is how many measurements the database held, `note` what the reader must know."""

    what: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    aim: str
    ok: bool
    better: str = "more"
    database: str = ""
    points: int = 0
    note: str = ""

    def told(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return asdict(self)


def row_at_least(what: str, value: float, unit: str, *, floor: float, least: float, note: str = "") -> Row:
    """A rate that must be at least the share `least` of its floor."""
    ratio = value / floor if floor else 0.0
    aim = f"at least {least:.0%} of the floor"
    return Row(what, value, unit, floor, ratio, aim, ratio >= least, "more", note=note)


def row_at_most(what: str, value: float, unit: str, *, floor: float, most: float, note: str = "") -> Row:
    """A time that may be at most `most` times its floor."""
    ratio = value / floor if floor else float("inf")
    return Row(
        what, value, unit, floor, ratio, f"at most {most:g} x the floor", ratio <= most, "less", note=note
    )


def row_under(what: str, value: float, unit: str, *, limit: float, note: str = "") -> Row:
    """A figure without a floor that must stay under `limit`."""
    return Row(what, value, unit, None, None, f"under {limit:g} {unit}", value < limit, "less", note=note)


def rows_growth(small: Sequence[Row], large: Sequence[Row]) -> list[Row]:
    """For each figure that both sizes have, how much worse it is at the larger one."""
    before = {row.what: row for row in small}
    grown = []
    for row in large:
        old = before.get(row.what)
        if old is None:
            continue
        worse = _worse(old, row)
        told = f"growth, {old.points:,} to {row.points:,} points: {row.what}"
        aim = f"flat within {GROWTH_MOST:g} x"
        grown.append(
            Row(
                told,
                row.value,
                row.unit,
                old.value,
                worse,
                aim,
                worse <= GROWTH_MOST,
                row.better,
                row.database,
                row.points,
            )
        )
    return grown


def _worse(old: Row, new: Row) -> float:
    """How many times worse the new value is; below 1 it is better."""
    worst, best = (new.value, old.value) if new.better == "less" else (old.value, new.value)
    if best <= 0:
        return 1.0 if worst <= 0 else float("inf")
    return worst / best


def table_text(rows: Sequence[Row]) -> str:
    """The rows as a table for people."""
    heads = ("database", "points", "what", "value", "floor", "ratio", "aim", "ok")
    cells = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(heads))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(
        line.rstrip() for line in [*lines, *sorted({f"- {row.note}" for row in rows if row.note})]
    )


def _cells(row: Row) -> tuple[str, ...]:
    floor = "" if row.floor is None else f"{row.floor:.3g} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    value = f"{row.value:.3g} {row.unit}"
    return (
        row.database,
        f"{row.points:,}",
        row.what,
        value,
        floor,
        ratio,
        row.aim,
        "yes" if row.ok else "NO",
    )
