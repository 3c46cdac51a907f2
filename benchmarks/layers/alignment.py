"""Which layers of one build are those of the other, across fusion: many to many.

1. Layers that share an origin, directly or through others, are one group.
2. Layers left over match by name, the first of a name with the first.
3. What is left between the same two groups matches by kind, in order.
4. The rest was added or removed.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.layers.layer import Layer
from benchmarks.layers.sequence import sequences_align

_COUNTER = re.compile(r"(?:_token)?_?\d+$")

How = Literal["origin", "name", "position", "added", "removed"]


@dataclass(frozen=True)
class Group:
    """Layers of both sides that do the same work; `how` they were found to."""

    before: tuple[Layer, ...]
    after: tuple[Layer, ...]
    how: How


@dataclass(frozen=True)
class _Match:
    """A group by the places of its layers."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    how: How


def layers_align(before: Sequence[Layer], after: Sequence[Layer]) -> list[Group]:
    """Every layer of both sides in exactly one group, in the order of `before`; what was added comes last."""
    matches = list(_by_origin(before, after))
    matches += _by_name(before, after, matches)
    matches += _by_position(before, after, matches)
    left, right = _left(before, matches, 0), _left(after, matches, 1)
    matches += [_Match((place,), (), "removed") for place in left]
    matches += [_Match((), (place,), "added") for place in right]
    matches.sort(key=lambda one: (not one.before, one.before or one.after))
    return [
        Group(
            tuple(before[place] for place in one.before), tuple(after[place] for place in one.after), one.how
        )
        for one in matches
    ]


def _left(layers: Sequence[Layer], matches: Iterable[_Match], side: int) -> list[int]:
    """The places that no match holds yet, in order; `side` 0 is before, 1 after."""
    held = {place for one in matches for place in (one.after if side else one.before)}
    return [place for place in range(len(layers)) if place not in held]


def _by_origin(before: Sequence[Layer], after: Sequence[Layer]) -> Iterable[_Match]:
    """The connected components of "shares an origin" that have layers of both sides."""
    parents = list(range(len(before) + len(after)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    owners: dict[str, int] = {}
    for place, layer in enumerate((*before, *after)):
        for origin in layer.origins:
            parents[root(place)] = root(owners.setdefault(origin, place))
    components: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for place in range(len(parents)):
        side = int(place >= len(before))
        components[root(place)][side].append(place - side * len(before))
    for left, right in components.values():
        if left and right:
            yield _Match(tuple(left), tuple(right), "origin")


def _by_name(before: Sequence[Layer], after: Sequence[Layer], matches: list[_Match]) -> list[_Match]:
    mine, theirs = _telling(before), _telling(after)
    waiting: dict[str, list[int]] = defaultdict(list)
    for place in reversed(_left(after, matches, 1)):
        if theirs[place]:
            waiting[after[place].name].append(place)
    found = []
    for place in _left(before, matches, 0):
        same = waiting.get(before[place].name)
        if same and mine[place]:
            found.append(_Match((place,), (same.pop(),), "name"))
    return found


def _telling(layers: Sequence[Layer]) -> list[bool]:
    """Whether a layer's name tells which it is, and not only that it is the third of its operator."""
    counted = [bool(layer.kind) and _COUNTER.sub("", layer.name) == layer.kind for layer in layers]
    often = Counter(layer.kind for layer, one in zip(layers, counted, strict=True) if one)
    return [
        bool(layer.name) and not (one and often[layer.kind] > 1)
        for layer, one in zip(layers, counted, strict=True)
    ]


def _by_position(before: Sequence[Layer], after: Sequence[Layer], matches: list[_Match]) -> list[_Match]:
    """Between two groups that are next to each other on both sides, layers of one kind, in order."""
    anchors = _monotone(matches)
    left = _runs(_left(before, matches, 0), [one[0] for one in anchors])
    right = _runs(_left(after, matches, 1), [one[1] for one in anchors])
    found = []
    for gap in left.keys() & right.keys():
        mine, theirs = left[gap], right[gap]
        pairs = sequences_align(
            [(before[place].kind, before[place].shapes) for place in mine],
            [(after[place].kind, after[place].shapes) for place in theirs],
        )
        found += [_Match((mine[one],), (theirs[other],), "position") for one, other in pairs]
    return found


def _monotone(matches: Iterable[_Match]) -> list[tuple[int, int]]:
    """The longest run of groups that are in the same order on both sides, by where each begins."""
    pairs = sorted((one.before[0], one.after[0]) for one in matches)
    tails: list[int] = []
    ends: list[int] = []  # the place in `pairs` of the pair that ends the best run of each length
    back: list[int] = []
    for place, (_, other) in enumerate(pairs):
        length = bisect_left(tails, other)
        back.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [other]
        ends[length : length + 1] = [place]
    found, place = [], ends[-1] if ends else -1
    while place >= 0:
        found.append(pairs[place])
        place = back[place]
    return found[::-1]


def _runs(places: Iterable[int], anchors: list[int]) -> dict[int, list[int]]:
    """The places by which two anchors they lie between."""
    found: dict[int, list[int]] = defaultdict(list)
    for place in places:
        found[bisect_left(anchors, place)].append(place)
    return found
