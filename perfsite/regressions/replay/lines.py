"""What stands on a line: a series, or the pairs that were asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

SMALLEST, LARGEST = 1e-60, 1e60  # sizes of a value: squares of their ratios must stay finite


class LineError(ValueError):
    """A line that cannot be used; the sentence says why."""


class Source:
    """Lines of standard input with their `number`, from 1, of the line read last."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines, self.number = lines, 0

    def next(self) -> bytes | None:
        """The next line; None at the end."""
        line = next(self._lines, None)
        self.number += line is not None
        return line


@dataclass(frozen=True)
class Series:
    """One series of `length` builds: `values` of the measured ones and their indices `builds`, shapes (n,).

    `labels` are the first builds of new levels, where somebody knows them.
    """

    name: str
    values: tuple[float, ...]
    builds: tuple[int, ...]
    length: int
    lower_is_better: bool
    labels: tuple[int, ...] | None


def series_read(text: bytes, *, labelled: bool = False) -> Series:
    """The series on a line.

    Raises:
        LineError: it is not one, or has no labels though it must be `labelled`.
    """
    row = _object(text)
    for key in ("name", "values", "labels") if labelled else ("name", "values"):
        if key not in row:
            raise LineError(f'"{key}" is missing')
    name, values, lower = row["name"], row["values"], row.get("lower_is_better", True)
    if not isinstance(name, str):
        raise LineError(f'"name" is {_shown(name)}, not a string')
    if not isinstance(values, list):
        raise LineError(f'"values" is {_shown(values)}, not a list')
    if not isinstance(lower, bool):
        raise LineError(f'"lower_is_better" is {_shown(lower)}, not true or false')
    points = [_point(value, f"values[{index}]") for index, value in enumerate(values)]
    measured = [(index, point) for index, point in enumerate(points) if point is not None]
    return Series(
        name=name,
        values=tuple(point for _, point in measured),
        builds=tuple(index for index, _ in measured),
        length=len(points),
        lower_is_better=lower,
        labels=_labels(row["labels"], len(points)) if row.get("labels") is not None else None,
    )


def pairs_read(text: bytes) -> tuple[list[float], list[float]]:
    """The pairs on a line; one without a value on either side is left out.

    Raises:
        LineError: it holds none.
    """
    row = _object(text)
    a, b = row.get("a"), row.get("b")
    if not isinstance(a, list) or not isinstance(b, list) or len(a) != len(b):
        raise LineError('an answer is {"a": [..], "b": [..]} with as many values of each build')
    first = [_number(value, f"a[{index}]") for index, value in enumerate(a)]
    second = [_number(value, f"b[{index}]") for index, value in enumerate(b)]
    both = [(x, y) for x, y in zip(first, second, strict=True) if x is not None and y is not None]
    return [x for x, _ in both], [y for _, y in both]


def _object(text: bytes) -> dict[str, Any]:
    try:
        row = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LineError(
            f"it is not UTF-8 (byte 0x{text[error.start]:02x} at place {error.start}); save it as UTF-8"
        ) from None
    except (ValueError, RecursionError) as error:
        raise LineError(f"it is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise LineError(f"it is {_shown(row)}, not an object")
    return row


def _point(value: object, where: str) -> float | None:
    """One build's value: the median of its repeats; None where nothing was measured."""
    if not isinstance(value, list):
        return _number(value, where)
    repeats = [_number(one, f"{where}[{index}]") for index, one in enumerate(value)]
    measured = [one for one in repeats if one is not None]
    return median(measured) if measured else None


def _number(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LineError(f"{where} is {_shown(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise LineError(f"{where} is not finite; a build without a value is null")
    if number and not SMALLEST <= abs(number) <= LARGEST:
        raise LineError(f"{where} is {number:g}; a value is 0 or of a size from {SMALLEST:g} to {LARGEST:g}")
    return number


def _labels(labels: object, length: int) -> tuple[int, ...]:
    if not isinstance(labels, list):
        raise LineError(f'"labels" is {_shown(labels)}, not a list')
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < length:
            raise LineError(f"the label {_shown(label)} is not the index of one of the {length} builds")
    return tuple(sorted(set(labels)))


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
