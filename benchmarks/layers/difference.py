"""What differs between two builds, group by group, and how much of the change it explains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.layers.alignment import Group, layers_align
from benchmarks.layers.layer import Layer, Layers

Whole = Literal["measured", "profile", "layers"]


@dataclass(frozen=True)
class Detail:
    """One thing that differs: precision, tactic, kind, shapes, or how many layers there are."""

    what: Literal["layers", "precision", "tactic", "kind", "shapes"]
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """A group with its times, in seconds of one inference; None where a side was not timed.

    `share` is its part of the change from end to end: 0.5 is half of it, a negative one went the other way.
    """

    group: Group
    before_s: float | None
    after_s: float | None
    share: float | None
    details: tuple[Detail, ...]

    @property
    def seconds(self) -> float | None:
        """After minus before; a side without any layer took no time."""
        if (self.group.before and self.before_s is None) or (self.group.after and self.after_s is None):
            return None
        return (self.after_s or 0.0) - (self.before_s or 0.0)


@dataclass(frozen=True)
class Difference:
    """Every group, the one that contributes most first.

    `before_s` and `after_s` are one inference from end to end: `measured` without a profiler, as the
    `profile` saw it, or only the sum of the `layers`, which then explains itself and nothing else.
    """

    changes: tuple[Change, ...]
    before_s: float | None
    after_s: float | None
    whole: Whole
    layers_before_s: float
    layers_after_s: float

    @property
    def seconds(self) -> float | None:
        """The change from end to end."""
        return None if self.before_s is None or self.after_s is None else self.after_s - self.before_s

    @property
    def explained(self) -> float | None:
        """The part of the change from end to end that the layers' sum shows; None where nobody can tell."""
        return None if self.whole == "layers" else self._part(self.layers_after_s - self.layers_before_s)

    @property
    def rest_s(self) -> float | None:
        """What the layers do not show, in seconds: between them, outside them, or the profiler's own."""
        if self.seconds is None or self.whole == "layers":
            return None
        return self.seconds - (self.layers_after_s - self.layers_before_s)

    def largest(self, count: int) -> float | None:
        """The part of the change that the first `count` groups make together."""
        shares = [one.share for one in self.changes[:count]]
        return None if not shares or None in shares else sum(one or 0.0 for one in shares)

    def _part(self, seconds: float) -> float | None:
        return seconds / self.seconds if self.seconds else None


def layers_difference(
    before: Layers, after: Layers, *, before_s: float | None = None, after_s: float | None = None
) -> Difference:
    """Align two builds and rank what differs.

    `before_s` and `after_s` are one inference from end to end as it was measured without a profiler;
    without them the profiles' own, without those the sum of the layers.
    """
    whole: Whole
    if before_s is not None and after_s is not None:
        whole, ends = "measured", (before_s, after_s)
    elif before.seconds is not None and after.seconds is not None:
        whole, ends = "profile", (before.seconds, after.seconds)
    elif before.timed and after.timed:
        whole, ends = "layers", (before.sum_s, after.sum_s)
    else:
        return _ranked(before, after, "layers", None)
    return _ranked(before, after, whole, ends)


def _ranked(before: Layers, after: Layers, whole: Whole, ends: tuple[float, float] | None) -> Difference:
    total = ends[1] - ends[0] if ends else 0.0
    changes = [_change(group, total) for group in layers_align(before.layers, after.layers)]
    changes.sort(key=lambda one: (-abs(one.seconds or 0.0), -len(one.details)))
    return Difference(
        changes=tuple(changes),
        before_s=ends[0] if ends else None,
        after_s=ends[1] if ends else None,
        whole=whole,
        layers_before_s=before.sum_s,
        layers_after_s=after.sum_s,
    )


def _change(group: Group, total: float) -> Change:
    change = Change(group, _seconds(group.before), _seconds(group.after), None, tuple(_details(group)))
    if change.seconds is None or not total:
        return change
    return Change(group, change.before_s, change.after_s, change.seconds / total, change.details)


def _seconds(layers: Iterable[Layer]) -> float | None:
    """The sum of the times; None where none was timed."""
    times = [layer.seconds for layer in layers if layer.seconds is not None]
    return sum(times) if times else None


def _details(group: Group) -> Iterator[Detail]:
    before, after = group.before, group.after
    if not before or not after:
        return
    if len(before) != len(after):
        yield Detail("layers", str(len(before)), str(len(after)))
    single = len(before) == len(after) == 1
    for what in ("precision", "tactic", "kind", "shapes"):
        if what == "shapes" and not single:
            continue  # fused layers have no common shape
        left, right = _words(before, what), _words(after, what)
        if left and right and left != right:
            yield Detail(what, ", ".join(left), ", ".join(right))


def _words(layers: Iterable[Layer], what: str) -> list[str]:
    """What the layers say, each word once: a layer split in two equal ones says the same."""
    return sorted({getattr(layer, what) for layer in layers} - {""})
