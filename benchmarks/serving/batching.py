"""Which requests a server runs together, and when it stops waiting for more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Batching:
    """At most `most` requests at once; the oldest waits at most `delay_s` seconds for others.

    With no delay a free server takes whatever waits, at once.
    """

    most: int = 1
    delay_s: float = 0.0

    def launch_at(self, due: Sequence[float], head: int) -> float:
        """When a free server begins the batch whose oldest request is `due[head]`.

        `due` are all arrivals, those to come too; only those that came by then decide: the one that
        fills the batch, or the oldest one's delay.
        """
        last = head + self.most - 1
        patient = due[head] + self.delay_s
        return min(due[last], patient) if last < len(due) else patient


def batch_sizes(most: int) -> tuple[int, ...]:
    """The sizes that are made ready ahead: powers of two below `most`, and `most`."""
    sizes = [1]
    while sizes[-1] * 2 < most:
        sizes.append(sizes[-1] * 2)
    return tuple(dict.fromkeys((*sizes, most)))


def size_for(count: int, sizes: Sequence[int]) -> int:
    """The smallest of the ascending `sizes` that holds `count` requests."""
    return sizes[bisect_left(sizes, count)]
