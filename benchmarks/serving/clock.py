"""The clock of a server: real time here, a number in the tests."""

from __future__ import annotations

import time
from typing import Protocol

SPIN_S = 0.001  # a sleep ends up to some 0.1 ms late on an idle Linux; the rest of the wait is spun


class Clock(Protocol):
    """What a server loop needs of time, in seconds from any origin."""

    def now(self) -> float:
        """The moment now."""
        ...

    def sleep_until(self, moment: float) -> None:
        """Return at `moment`, at once when it is over."""
        ...


class RealClock:
    """`perf_counter`; waits by sleeping, and the last millisecond by spinning."""

    def now(self) -> float:
        """Seconds of `time.perf_counter`."""
        return time.perf_counter()

    def sleep_until(self, moment: float) -> None:
        """Return within microseconds after `moment`, when the processor is free."""
        left = moment - time.perf_counter()
        if left > SPIN_S:
            time.sleep(left - SPIN_S)
        while time.perf_counter() < moment:
            pass
