"""Changes as logarithms with 95 % half widths: there they add up, whatever their size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from perfsite.regressions.attribution.evidence import Evidence, Pairs, Witness
from perfsite.regressions.detection.student import student_quantile

_Z = 1.96
_MAD_TO_SIGMA = 1.4826
_MEDIAN_VARIANCE = math.pi / 2  # of a median of many normal values, against their mean
_PRIOR_SHARE = 0.75  # of the relevant change, as the screen has it
_PRIOR_WEIGHT = 4
# by how much a canary scatters from one report to the next while nothing is wrong, as a standard deviation:
# the worker tolerates 10 % and 2 % between two readings, which is 2.77 of these
CANARY_SPREAD = {"cpu": 0.036, "gpu": 0.0072}
_CLOCK_GRAIN = 0.004  # half of one step of 15 MHz at 1.9 GHz


@dataclass(frozen=True)
class Estimate:
    """A change as a logarithm; `half` is half of its 95 % interval, None where nothing bounds it."""

    log: float
    half: float | None

    @property
    def is_beyond_noise(self) -> bool:
        """Whether its interval leaves zero out."""
        return self.half is not None and abs(self.log) > self.half

    def times(self, sign: float) -> Estimate:
        """The same change of something that moves the same way (1) or the other way (-1)."""
        return Estimate(sign * self.log, self.half)


def logs_of(values: Sequence[float]) -> list[float] | None:
    """The logarithms; None when there is no value, or one that has none."""
    return [math.log(value) for value in values] if values and min(values) > 0 else None


def level_change(evidence: Evidence) -> Estimate | None:
    """From the level's median to the newer points' median; None where a value has no logarithm.

    The spread is the points' own about their medians, pooled with three quarters of the relevant change:
    a level of few points is not taken for certainty.
    """
    before, after = logs_of(evidence.before), logs_of(evidence.after)
    if before is None or after is None:
        return None
    change = median(after) - median(before)
    if evidence.exact:
        return Estimate(change, 0.0)
    rests = [abs(value - median(side)) for side in (before, after) if len(side) > 2 for value in side]
    freedom = max(0, len(rests) - 2)
    spread = _MAD_TO_SIGMA * median(rests) if rests else 0.0
    prior = _PRIOR_SHARE * (evidence.relevant or 0.01)
    variance = (freedom * spread**2 + _PRIOR_WEIGHT * prior**2) / (freedom + _PRIOR_WEIGHT)
    width = math.sqrt(variance * (_median_variance(len(before)) + _median_variance(len(after))))
    return Estimate(change, student_quantile(_Z, freedom + _PRIOR_WEIGHT) * width)


def code_change(pairs: Pairs) -> Estimate | None:
    """What the pairs say; both builds see the same machine.  None where a change has no logarithm."""
    if pairs.relative <= -1:
        return None
    change = math.log1p(pairs.relative)
    if pairs.low is None or pairs.high is None or pairs.low <= -1:
        return Estimate(change, None)
    return Estimate(change, max(math.log1p(pairs.high) - change, change - math.log1p(pairs.low)))


def luck_half(evidence: Evidence) -> float | None:
    """How far the luck of engine builds alone may move what the history shows; half a 95 % interval.

    Each block of the pairs built an engine of its own; differences within pairs take the machine's drift
    out, so their spread is that of two engines (and of measuring them: a bound from above).
    """
    if not evidence.rebuilt or evidence.pairs is None:
        return None
    a, b = logs_of(evidence.pairs.a), logs_of(evidence.pairs.b)
    if a is None or b is None or min(len(a), len(b)) < 3:
        return None
    spread = stdev([two - one for one, two in zip(a, b, strict=False)]) / math.sqrt(2)
    width = math.sqrt(_median_variance(len(evidence.before)) + _median_variance(len(evidence.after)))
    return student_quantile(_Z, min(len(a), len(b)) - 1) * spread * width


def canary_change(base: Witness, suspect: Witness) -> Estimate | None:
    """By how much longer the pinned computation took; None where the two cannot be compared."""
    before, after = logs_of(base.canary_s), logs_of(suspect.canary_s)
    if before is None or after is None or not base.canary_clock or base.canary_clock != suspect.canary_clock:
        return None
    least = CANARY_SPREAD[base.canary_clock]
    variance = sum(max(least, _deviation(side)) ** 2 / len(side) for side in (before, after))
    return Estimate(mean(after) - mean(before), _Z * math.sqrt(variance))


def clock_change(base: Witness, suspect: Witness) -> Estimate | None:
    """By how much longer one clock cycle took (a clock that falls is above zero); None without readings."""
    before, after = logs_of(_settled(base.sm_clock_hz)), logs_of(_settled(suspect.sm_clock_hz))
    if before is None or after is None:
        return None
    variance = sum(
        _MEDIAN_VARIANCE * _deviation(side) ** 2 / len(side) + _CLOCK_GRAIN**2 / 3 for side in (before, after)
    )
    return Estimate(median(before) - median(after), _Z * math.sqrt(variance))


def _settled(clocks: Sequence[float]) -> Sequence[float]:
    """The readings under load: the first and the last may be of an idle GPU, whose clock is low by design."""
    return clocks[1:-1] if len(clocks) > 2 else clocks


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _median_variance(count: int) -> float:
    """The variance of the median of `count` values of variance one."""
    return (_MEDIAN_VARIANCE if count > 2 else 1.0) / max(1, count)
