"""What was told against what is true, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

NEAR = 2  # builds a change may be misplaced by and still be right
AROUND = 10  # builds around an event: what is told there belongs to the event, right or not
SOON = 5  # builds


@dataclass
class Tally:
    """Counts over many series; rates are properties, None where there is nothing to divide by."""

    events: int = 0
    told: int = 0
    right: int = 0
    astray: int = 0  # told about an event, at the wrong build or again
    false: int = 0  # told farther than AROUND builds from all events
    quiet: int = 0  # builds that far from all events
    builds: int = 0
    runs: int = 0  # ordered besides
    delays: list[int] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """The share of events that were told within NEAR builds."""
        return _ratio(self.right, self.events)

    @property
    def precision(self) -> float | None:
        """The share of what was told that is an event, told once, within NEAR builds."""
        return _ratio(self.right, self.told)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * self.right, self.told + self.events)

    @property
    def soon(self) -> float | None:
        """The share of events that were told before SOON further builds came."""
        return _ratio(sum(delay < SOON for delay in self.delays), self.events)

    @property
    def false_rate(self) -> float | None:
        """False alarms per 1,000 quiet builds."""
        return _ratio(1000 * self.false, self.quiet)

    @property
    def astray_rate(self) -> float | None:
        """Misplaced or doubled changes per event."""
        return _ratio(self.astray, self.events)

    def delay(self, share: float) -> float | None:
        """The quantile of the delays, in builds."""
        return float(np.quantile(self.delays, share)) if self.delays else None

    def add(self, other: Tally) -> None:
        """Count `other`'s series too."""
        for name in ("events", "told", "right", "astray", "false", "quiet", "builds", "runs"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays += other.delays


def changes_score(events: Sequence[tuple[int, int]], told: Iterable[tuple[int, int]], length: int) -> Tally:
    """Score one series of `length` builds.

    An event is the first and the last build at which its level may be said to begin (a step: the same
    twice); `told` are (index, detected at).  An event is told once; what comes again is astray.
    """
    quiet = np.ones(length, dtype=bool)
    for first, last in events:
        quiet[max(first - AROUND, 0) : last + AROUND + 1] = False
    tally = Tally(events=len(events), quiet=int(quiet.sum()), builds=length)
    untold = list(events)
    for index, at in sorted(told, key=lambda pair: pair[1]):
        tally.told += 1
        near = [event for event in untold if event[0] - NEAR <= index <= event[1] + NEAR]
        if near:
            event = min(near, key=lambda event: abs(event[0] - index))
            untold.remove(event)
            tally.right += 1
            tally.delays.append(max(at - event[0], 0))
        elif quiet[index]:
            tally.false += 1
        else:
            tally.astray += 1
    return tally


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
