"""Which calls another process disturbed: told by the kernel, never guessed from how long they took."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

if sys.platform == "linux":
    import resource

    def preemptions() -> int:
        """How often the kernel took the processor from this thread before it was done with it."""
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw

else:

    def preemptions() -> int:
        """Not told per thread here: nothing counts as disturbed."""
        return 0


# a call that lost less of its time than this to others is as good as undisturbed
LOST_SHARE = 0.01


@dataclass(frozen=True)
class Mark:
    """The state of this thread between two calls."""

    switches: int
    cpu_ns: int

    @classmethod
    def now(cls) -> Mark:
        """Read the kernel's counters; about 2 microseconds."""
        return cls(preemptions(), time.process_time_ns())

    def is_disturbed(self, before: Mark, wall_ns: int) -> bool:
        """Whether a call between the two marks, `wall_ns` long, lost time to another process.

        The thread was preempted, and this process did not use the time: what a model loses to its
        own threads, to sleeping or to waiting is the model's and counts.
        """
        if self.switches == before.switches:
            return False
        return wall_ns - (self.cpu_ns - before.cpu_ns) > LOST_SHARE * wall_ns
