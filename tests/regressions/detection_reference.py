"""The core statistic, literally and slowly: plain loops over the definitions, no shared code."""

from __future__ import annotations

import math
from itertools import pairwise

WINDOWS = (1, 2, 3, 5, 8, 12, 18, 27, 40)


def curve_reference(clipped: list[float]) -> list[float]:
    """Variance of sums of k neighbours over k, as `wobble.wobble_curve` promises."""
    count = len(clipped)
    single = sum((b - a) ** 2 for a, b in pairwise(clipped)) / (2 * (count - 1))
    curve = [max(single, 0.25)]
    for k in WINDOWS[1:]:
        curve.append(max(curve[-1], curve[0] * _factor(clipped, k, curve[0])))
    return curve


def _factor(clipped: list[float], k: int, single: float) -> float:
    if len(clipped) < 3 * k + 2:
        return 1.0
    strayed = [
        (sum(clipped[t : t + k]) - sum(clipped[t - k : t])) ** 2 for t in range(k, len(clipped) - k + 1)
    ]
    ratio = math.log(max(sum(strayed) / len(strayed) / (2 * k) / single, 1.0))
    news = ratio**2 * 0.75 * len(strayed) / k / 2
    return math.exp(ratio * max(0.0, 1 - 1 / news)) if news else 1.0


def variance_reference(curve: list[float], k: int) -> float:
    """The variance of a mean of k neighbours: the curve is a polygon in logarithms, flat beyond its ends."""
    for (a, low), (b, high) in zip(
        zip(WINDOWS, curve, strict=True), zip(WINDOWS[1:], curve[1:], strict=True), strict=False
    ):
        if a <= k <= b:
            share = math.log(k / a) / math.log(b / a)
            return math.exp((1 - share) * math.log(low) + share * math.log(high)) / k
    return curve[-1] / k


def best_reference(
    clipped: list[float], curve: list[float], *, freedom: float, reach: int, earliest: int
) -> tuple[int, float, float]:
    """Start, signed normal score and posterior share within two builds of the best split."""
    count = len(clipped)
    longest = min(range(1, 129), key=lambda k: variance_reference(curve, k))
    ratios = {}
    for start in range(max(count - reach, earliest), count):
        older, newer = clipped[max(start - longest, 0) : start], clipped[start:]
        step = sum(newer) / len(newer) - sum(older) / len(older)
        variance = variance_reference(curve, len(newer)) + variance_reference(curve, len(older))
        ratios[start] = step / math.sqrt(variance)
    best = max(ratios, key=lambda start: abs(ratios[start]))
    t = ratios[best]
    shrink = (8 * freedom + 1) / (8 * freedom + 3)
    score = math.copysign(shrink * math.sqrt(freedom * math.log(1 + t * t / freedom)), t)
    half = 0.5 * score * score / (t * t)
    weights = {s: math.exp((r * r - t * t) * half) if r * score > 0 else 0.0 for s, r in ratios.items()}
    near = sum(weight for start, weight in weights.items() if abs(start - best) <= 2)
    return best, score, near / sum(weights.values())
