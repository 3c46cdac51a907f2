"""What clock and machine may claim of what the pairs leave, without counting anything twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfsite.regressions.attribution import words
from perfsite.regressions.attribution.estimates import Estimate, canary_change, clock_change
from perfsite.regressions.attribution.evidence import Evidence

# by the unit of a metric: how it follows a machine that takes longer
_FOLLOWS = {"s": 1.0, "1/s": -1.0}


@dataclass
class Claims:
    """What clock and machine ask of the rest (logarithms in the metric's direction), and why one does not."""

    clock: Estimate | None = None
    canary: Estimate | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def clock_log(self) -> float:
        """The clock's claim; zero within its noise."""
        return self.clock.log if self.clock and self.clock.is_beyond_noise else 0.0

    @property
    def machine_log(self) -> float:
        """What the canary moved beyond the clock; zero within its noise."""
        moved = self.canary.log if self.canary and self.canary.is_beyond_noise else 0.0
        shared = min(max(self.clock_log, min(0.0, moved)), max(0.0, moved))
        return moved - shared


def claims_of(evidence: Evidence) -> Claims:
    """What clock and canary did, in the metric's direction; or why that is not known."""
    base, suspect = evidence.base, evidence.suspect
    sign = _FOLLOWS.get(evidence.unit, 0.0)
    why = "this metric follows neither clock nor machine"
    if not sign or evidence.exact:
        return Claims(left_out={"clock": why, "machine": why})
    if base is None or suspect is None:
        why = "the measure reports of the two builds are not there any more"
        return Claims(left_out={"clock": why, "machine": why})
    clock, canary = clock_change(base, suspect), canary_change(base, suspect)
    left_out = {}
    if clock is None:
        left_out["clock"] = words.no_clock(base, suspect)
    if canary is None:
        left_out["machine"] = words.no_canary(base, suspect)
    elif base.has_gpu and base.canary_clock == "cpu":
        left_out["machine"] = "the canary ran on the processor and does not know the GPU"
        canary = None
    return Claims(clock and clock.times(sign), canary and canary.times(sign), left_out)


def claims_share(claims: Claims, rest: float) -> tuple[float, float]:
    """What clock and machine get of the rest: their claims, shrunk alike where the rest is smaller."""
    clock, machine = claims.clock_log, claims.machine_log
    asked = clock + machine
    if not asked or rest / asked <= 0:
        return 0.0, 0.0
    share = min(1.0, rest / asked)
    return share * clock, share * machine
