"""Pairs of values of two builds -> a verdict that stays valid however often one looks.  Pure.

The logarithms of b/a, one per pair, are taken as normal with unknown mean and variance.  Evidence
against "no change" is the t-test's e-process: the Bayes factor of an effect size drawn from
N(0, EFFECT_VARIANCE) against zero, with the right-Haar prior on the scale (Perez-Ortiz, Lardy, de
Heide, Gruenwald 2024, "E-statistics, group invariance and anytime-valid testing"; Wang and Ramdas
2025, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance").
Under no change it passes 1/alpha at any time with probability at most alpha, so one may look after
each pair and stop.  Interleaving (A B B A) removes a linear drift; a distribution with heavier tails
than the normal makes the test slower, not falser, where its tails are symmetric.

A value of zero or below has no ratio.  Where there is one, the differences b - a take the logarithms'
place: the same test, of the same hypothesis, on another scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.cases import Case
from benchmarks.metrics import Metric
from benchmarks.report import Comparison

Verdict = Literal["regressed", "improved", "same", "unknown"]

EFFECT_VARIANCE = 10.0  # of mean over standard deviation: changes that matter are far above the noise
FUTILE_AFTER = 4  # pairs; with fewer the spread itself is hardly known
MOST_EVIDENCE = 1e12  # reports hold no infinity
ANOTHER_PAIR = "another pair will tell more"


@dataclass(frozen=True)
class PairsResult:
    """What the pairs so far tell.

    `relative` is b over a minus one, from the mean logarithm; `relative_low` and `relative_high`
    bound it at 1 - alpha at all times together, None while nothing bounds it; `evidence` is the
    e-value against no change.
    """

    verdict: Verdict
    relative: float
    relative_low: float | None
    relative_high: float | None
    evidence: float
    sentence: str

    def as_comparison(self, case: Case, metric: Metric, a: Sequence[float], b: Sequence[float]) -> Comparison:
        """The result as the report holds it."""
        return Comparison(
            case=case,
            metric=metric.name,
            a=tuple(a),
            b=tuple(b),
            verdict=self.verdict,
            relative=self.relative,
            relative_low=self.relative_low,
            relative_high=self.relative_high,
            evidence=self.evidence,
            sentence=self.sentence,
        )


def compare_pairs(
    a: Sequence[float], b: Sequence[float], *, metric: Metric, alpha: float = 0.05, final: bool
) -> PairsResult:
    """The verdict after `len(a)` pairs; `a` is the last good build, `b` the suspect, shapes (n,).

    A change is told when the evidence reaches 1/alpha and its size passes the metric's `relevant`
    and `grain`; `same` when the interval leaves no room for such a change; otherwise `unknown`,
    which asks for another pair unless `final`.  An exact metric is settled by one pair.

    Raises:
        ValueError: no pair, unequal lengths, a value that is not finite, or a metric that is never
            judged.
    """
    first, second = _pairs_checked(a, b, metric)
    if metric.exact and np.ptp(first) == 0 and np.ptp(second) == 0:
        return _exact_compare(float(first[0]), float(second[0]), metric)
    effects = _effects_of(first, second, metric)
    n = effects.values.size
    mean, deviation = float(effects.values.mean()), float(effects.values.std(ddof=1)) if n > 1 else 0.0
    evidence = float(evidence_against_zero(mean, deviation, n)) if n > 1 else 1.0
    half = interval_half_width(deviation, n, alpha) if n > 1 else None
    relative = effects.relative(mean)
    low, high = (
        (None, None) if half is None else (effects.relative(mean - half), effects.relative(mean + half))
    )
    verdict = _verdict(relative, low, high, evidence >= 1 / alpha, effects.smallest, metric)
    sentence = _sentence(verdict, relative, low, high, n, metric, effects.smallest, final=final)
    return PairsResult(verdict, relative, low, high, min(evidence, MOST_EVIDENCE), sentence)


@dataclass(frozen=True)
class _Effects:
    """One effect per pair, shape (n,), how to read one as b over a minus one, and the smallest to tell."""

    values: np.ndarray
    relative: Callable[[float], float]
    smallest: float


def _effects_of(first: np.ndarray, second: np.ndarray, metric: Metric) -> _Effects:
    """Logarithms of ratios where all values are above zero, else differences.

    A difference is read relative to the good build's median, and from a median of zero to the
    suspect's: from nothing to something is +100 %.
    """
    before = abs(float(np.median(first)))
    if min(first.min(), second.min()) > 0:
        smallest = max(metric.relevant, metric.grain / before)
        return _Effects(np.log(second / first), lambda effect: float(np.expm1(effect)), smallest)
    base = before or abs(float(np.median(second))) or float(np.abs(second - first).max()) or 1.0
    smallest = max(metric.relevant * before, metric.grain) / base
    return _Effects(second - first, lambda effect: effect / base, smallest)


def is_futile(result: PairsResult, pairs: int, most: int, *, metric: Metric, before: float) -> bool:
    """Whether `most` pairs would hardly decide what `pairs` of them did not, so that it can be left.

    No relevant change shows, and at this spread the interval would shrink into the bounds of "same"
    only after more pairs than there may be (its width falls with the root of their number).  Leaving
    early costs no validity: the answer is then `unknown`.  `before` is the good build's median; of one
    that is not above zero nothing is known to be futile.
    """
    if before <= 0 or pairs < FUTILE_AFTER or result.relative_low is None or result.relative_high is None:
        return False
    smallest = max(metric.relevant, metric.grain / before)
    room = smallest - abs(result.relative)
    half = (result.relative_high - result.relative_low) / 2
    return room > 0 and pairs * (half / room) ** 2 > most


def evidence_against_zero(mean: np.ndarray | float, deviation: np.ndarray | float, n: int) -> np.ndarray:
    """The e-value after `n` >= 2 values with this mean and sample deviation, elementwise.

    With t the t-statistic, nu = n - 1 and g = EFFECT_VARIANCE:
    (1 + n g)^(-1/2) * ((1 + t^2/nu) / (1 + t^2/(nu (1 + n g))))^(n/2).
    """
    growth = 1 + n * EFFECT_VARIANCE
    squares = (n - 1) * np.square(deviation)
    signal = n * np.square(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(squares + signal > 0, (squares + signal) / (squares + signal / growth), 1.0)
    return np.asarray(growth**-0.5 * ratio ** (n / 2))


def interval_half_width(deviation: float, n: int, alpha: float) -> float | None:
    """Half the width of the confidence sequence on the mean after `n` >= 2 values.

    It holds every mean against which the e-value stays below 1/alpha; None while that is all of them.
    """
    growth = 1 + n * EFFECT_VARIANCE
    reach = (growth / alpha**2) ** (1 / n)
    if reach >= growth:
        return None
    bound = (reach - 1) / (1 - reach / growth)  # of t^2 / (n - 1)
    return deviation * float(np.sqrt((n - 1) * bound / n))


def _pairs_checked(a: Sequence[float], b: Sequence[float], metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    if metric.better is None:
        raise ValueError(f"{metric.name} describes a measurement and is never judged")
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.size == 0 or first.shape != second.shape:
        raise ValueError(f"pairs need as many values of each build, got {first.size} and {second.size}")
    if not np.isfinite([first, second]).all():
        raise ValueError(f"{metric.name}: every value must be finite to be compared")
    return first, second


def _exact_compare(a: float, b: float, metric: Metric) -> PairsResult:
    relative = b / a - 1 if a else float(b != a)  # from nothing to something: told as +100 %
    differs = abs(b - a) > metric.grain and abs(relative) > metric.relevant
    verdict = _direction(b - a, metric) if differs else "same"
    sentence = (
        f"{metric.title} {_moved(relative)}: {metric.format(a)} before, {metric.format(b)} after; "
        "it is counted, so one pair settles it"
        if differs
        else f"{metric.title} is {metric.format(b)} in both builds, or differs by less than what is told"
    )
    return PairsResult(verdict, relative, relative, relative, MOST_EVIDENCE if b != a else 0.0, sentence)


def _verdict(
    relative: float, low: float | None, high: float | None, certain: bool, smallest: float, metric: Metric
) -> Verdict:
    if certain and abs(relative) > smallest:
        return _direction(relative, metric)
    if low is not None and high is not None and _is_nothing(high, smallest) and _is_nothing(low, smallest):
        return "same"
    return "unknown"


def _is_nothing(bound: float, smallest: float) -> bool:
    """Whether a change of this size would not be told; none at all never is."""
    return abs(bound) < smallest or bound == 0


def _direction(change: float, metric: Metric) -> Verdict:
    return "regressed" if (change > 0) == (metric.better == "lower") else "improved"


def _moved(relative: float) -> str:
    return f"{'rose' if relative > 0 else 'fell'} {abs(relative) * 100:.1f} %"


def _sentence(
    verdict: Verdict,
    relative: float,
    low: float | None,
    high: float | None,
    n: int,
    metric: Metric,
    smallest: float,
    *,
    final: bool,
) -> str:
    pairs = f"{n} pair{'s' if n > 1 else ''}"
    bounds = "not bounded yet" if low is None or high is None else f"{low * 100:+.1f} to {high * 100:+.1f} %"
    if verdict in ("regressed", "improved"):
        return f"{metric.title} {_moved(relative)} ({bounds}) over {pairs}"
    if verdict == "same":
        return f"{metric.title} did not move by {smallest * 100:.1f} % or more ({bounds}) over {pairs}"
    remedy = (
        "the budget is spent; a longer duration or a quieter machine would tell" if final else ANOTHER_PAIR
    )
    return f"{metric.title} may have moved by {relative * 100:+.1f} % ({bounds}) over {pairs}; {remedy}"
