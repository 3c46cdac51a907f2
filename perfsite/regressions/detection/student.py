"""Student's t and the normal score that is equally unlikely, without scipy.

Source: D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square
distributions", Annals of Mathematical Statistics 30 (1959), as the approximation
z = (8v + 1) / (8v + 3) * sqrt(v * ln(1 + t^2 / v)); within 0.02 of the true score from four
degrees of freedom on.
"""

from __future__ import annotations

import math


def normal_score(t: float, freedom: float) -> float:
    """The standard normal score that is as unlikely as `t` with `freedom` degrees of freedom."""
    shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
    return math.copysign(shrink * math.sqrt(freedom * math.log1p(t * t / freedom)), t)


def student_quantile(z: float, freedom: float) -> float:
    """The inverse of `normal_score`: the t that is as unlikely as the normal score `z`."""
    stretch = (8.0 * freedom + 3.0) / (8.0 * freedom + 1.0)
    return math.copysign(math.sqrt(freedom * math.expm1((z * stretch) ** 2 / freedom)), z)


def two_sided_p(z: float) -> float:
    """How often chance alone gives a normal score at least as far from zero as `z`."""
    return math.erfc(abs(z) / math.sqrt(2.0))
