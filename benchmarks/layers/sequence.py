"""Two sequences of layers, one above the other, without crossing: by kind, better by kind and shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

SAME_KIND, SAME_SHAPE = 4, 5  # a pair of another shape is worth less, but more than none
MOST_CELLS = 36_000_000  # of the table, two bytes each: 6,000 by 6,000, whose worth two bytes hold

Key = tuple[str, str]


def sequences_align(before: Sequence[Key], after: Sequence[Key]) -> list[tuple[int, int]]:
    """Pairs of places, in order and never crossing, of the same kind; keys are (kind, shapes).

    The pairs with the largest worth together, by dynamic programming.  Sequences too long for that are
    paired kind by kind, the first with the first.
    """
    start = 0
    while start < min(len(before), len(after)) and _equal(before[start], after[start]):
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and _equal(before[-1 - end], after[-1 - end]):
        end += 1
    first, second = before[start : len(before) - end], after[start : len(after) - end]
    middle = _in_turn(first, second) if len(first) * len(second) > MOST_CELLS else _best(first, second)
    return [
        *((place, place) for place in range(start)),
        *((start + one, start + other) for one, other in middle),
        *((len(before) - place, len(after) - place) for place in range(end, 0, -1)),
    ]


def _equal(one: Key, other: Key) -> bool:
    return one == other and bool(one[0])


def _best(before: Sequence[Key], after: Sequence[Key]) -> list[tuple[int, int]]:
    if not before or not after:
        return []
    kinds, keys = _numbered([*before, *after])
    size = len(before)
    table = np.zeros((size + 1, len(after) + 1), dtype=np.int16)
    worths: dict[int, np.ndarray] = {}  # few layers are unlike all others
    for row in range(size):
        worth = worths.get(keys[row])
        if worth is None:
            same = np.where(keys[size:] == keys[row], SAME_SHAPE, SAME_KIND)
            worth = worths[keys[row]] = (same * (kinds[size:] == kinds[row])).astype(np.int16)
        above = table[row]
        taken = above[:-1] + worth
        np.maximum(taken, above[1:], out=taken)
        np.maximum.accumulate(taken, out=table[row + 1, 1:])
    return _walk_back(table, kinds[:size], kinds[size:])


def _walk_back(table: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[tuple[int, int]]:
    row, column = len(before), len(after)
    found = []
    while row and column:
        here = table[row, column]
        if here == table[row - 1, column]:
            row -= 1
        elif here == table[row, column - 1]:
            column -= 1
        else:  # only a pair is worth more than its neighbours
            row, column = row - 1, column - 1
            found.append((row, column))
    return found[::-1]


def _numbered(keys: Sequence[Key]) -> tuple[np.ndarray, np.ndarray]:
    """Each kind and each key as a number, shape (n,); an unknown kind is like no other."""
    numbers: dict[object, int] = {}
    kinds = [
        numbers.setdefault(kind or (place, "unknown"), len(numbers)) for place, (kind, _) in enumerate(keys)
    ]
    whole = [numbers.setdefault(key, len(numbers)) for key in keys]
    return np.asarray(kinds), np.asarray(whole)


def _in_turn(before: Sequence[Key], after: Sequence[Key]) -> list[tuple[int, int]]:
    waiting: dict[str, list[int]] = defaultdict(list)
    for place in range(len(after) - 1, -1, -1):
        waiting[after[place][0]].append(place)
    pairs = []
    last = -1
    for place, (kind, _) in enumerate(before):
        same = waiting[kind]
        while same and same[-1] <= last:
            same.pop()
        if kind and same:
            last = same.pop()
            pairs.append((place, last))
    return pairs
