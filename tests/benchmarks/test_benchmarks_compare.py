"""The anytime-valid comparison: its formula, its guarantee, its speed and its words."""

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks.cases import Case
from benchmarks.compare import (
    EFFECT_VARIANCE,
    MOST_EVIDENCE,
    compare_pairs,
    evidence_against_zero,
    interval_half_width,
    is_futile,
)
from benchmarks.metrics import METRICS, Metric, format_seconds, metric_get
from benchmarks.report import Measurement
from benchmarks.splitting import samples_split

LATENCY = METRICS["latency_p50"]
ALPHA = 0.05


def evidence_literal(values: np.ndarray) -> float:
    """The Bayes factor as it is defined: the t-statistic's density, averaged over the effect size."""
    n = values.size
    t = values.mean() / values.std(ddof=1) * np.sqrt(n)

    def weighted(effect: float) -> float:
        return stats.nct.pdf(t, n - 1, effect * np.sqrt(n)) * stats.norm.pdf(
            effect, scale=EFFECT_VARIANCE**0.5
        )

    top, _ = integrate.quad(weighted, -15, 15, limit=400, points=[0.0])
    return top / stats.t.pdf(t, n - 1)


@pytest.mark.parametrize("seed", range(6))
def test_evidence_is_the_bayes_factor(seed):
    values = np.random.default_rng(seed).normal(0.4, 1.0, size=3 + seed)
    fast = evidence_against_zero(values.mean(), values.std(ddof=1), values.size)
    assert fast == pytest.approx(evidence_literal(values), rel=1e-3)


@pytest.mark.parametrize("n", [3, 5, 8, 20])
def test_interval_ends_where_the_evidence_reaches_one_over_alpha(n):
    half = interval_half_width(1.0, n, ALPHA)
    assert half is not None
    assert evidence_against_zero(half, 1.0, n) == pytest.approx(1 / ALPHA)


def walks_evidence(noise: np.ndarray) -> np.ndarray:
    """The largest e-value over all looks at each row, (rows,)."""
    most = np.zeros(len(noise))
    for n in range(2, noise.shape[1] + 1):
        seen = noise[:, :n]
        most = np.maximum(most, evidence_against_zero(seen.mean(axis=1), seen.std(axis=1, ddof=1), n))
    return most


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "student-t with 3 degrees of freedom"])
def test_looking_after_each_of_100_pairs_keeps_false_alarms_under_alpha(heavy):
    generator = np.random.default_rng(20261121)
    shape = (20_000, 100)
    noise = generator.standard_t(3, size=shape) if heavy else generator.standard_normal(shape)
    assert (walks_evidence(noise) >= 1 / ALPHA).mean() < ALPHA


def test_the_interval_covers_the_truth_at_every_look():
    generator = np.random.default_rng(7)
    noise = generator.standard_normal((20_000, 60))
    missed = np.zeros(len(noise), dtype=bool)
    for n in range(3, 61):
        seen = noise[:, :n]
        missed |= np.abs(seen.mean(axis=1)) > interval_half_width(1.0, n, ALPHA) * seen.std(axis=1, ddof=1)
    assert missed.mean() < ALPHA


def pairs(change: float, noise: float, n: int, seed: int) -> tuple[list[float], list[float]]:
    generator = np.random.default_rng(seed)
    a = 1e-3 * np.exp(generator.normal(0, noise, n))
    b = 1e-3 * (1 + change) * np.exp(generator.normal(0, noise, n))
    return a.tolist(), b.tolist()


def pairs_needed(change: float, noise: float, seed: int, most: int = 8) -> tuple[str, int]:
    a, b = pairs(change, noise, most, seed)
    for n in range(1, most + 1):
        verdict = compare_pairs(a[:n], b[:n], metric=LATENCY, final=n == most).verdict
        if verdict != "unknown":
            return verdict, n
    return "unknown", most


def test_20_percent_is_found_in_six_pairs_under_2_percent_noise():
    answers = [pairs_needed(0.20, 0.02, seed) for seed in range(300)]
    assert {verdict for verdict, _ in answers} == {"regressed"}
    assert max(n for _, n in answers) <= 6
    assert np.median([n for _, n in answers]) <= 4


def test_no_change_is_rarely_told_as_one_and_often_as_same():
    answers = [pairs_needed(0.0, 0.01, seed)[0] for seed in range(400)]
    assert answers.count("regressed") + answers.count("improved") < 0.02 * len(answers)
    assert answers.count("same") > 0.5 * len(answers)


def test_direction_follows_the_metric():
    a, b = pairs(0.2, 0.01, 6, 1)
    assert compare_pairs(a, b, metric=METRICS["latency_p50"], final=True).verdict == "regressed"
    assert compare_pairs(a, b, metric=METRICS["throughput"], final=True).verdict == "improved"
    assert compare_pairs(b, a, metric=METRICS["throughput"], final=True).verdict == "regressed"


def test_a_certain_change_that_is_not_relevant_is_same():
    a = [1.0, 1.0001, 0.9999, 1.0, 1.0001, 0.9999]
    b = [value * 1.01 for value in a]
    result = compare_pairs(a, b, metric=LATENCY, final=True)
    assert result.evidence > 1 / ALPHA
    assert result.verdict == "same"


def test_a_change_below_the_grain_is_same():
    memory = METRICS["host_peak_memory"]
    small, more = [1.00e6, 1.01e6, 1.00e6, 1.01e6], [1.20e6, 1.21e6, 1.20e6, 1.21e6]
    assert compare_pairs(small, more, metric=memory, final=True).verdict == "same"
    large = [value * 100 for value in small], [value * 100 for value in more]
    assert compare_pairs(*large, metric=memory, final=True).verdict == "regressed"


def test_values_without_any_spread_are_decided_by_the_third_pair():
    assert compare_pairs([1.0] * 3, [1.2] * 3, metric=LATENCY, final=True).verdict == "regressed"
    assert compare_pairs([1.0] * 3, [1.0] * 3, metric=LATENCY, final=True).verdict == "same"
    assert compare_pairs([1.0], [1.2], metric=LATENCY, final=False).verdict == "unknown"


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [(100.0, 100.0, "same"), (100.0, 101.0, "regressed"), (100.0, 99.0, "improved"), (0.0, 5.0, "regressed"),
     (0.0, 0.0, "same")],
)  # fmt: skip
def test_one_pair_settles_an_exact_metric(a, b, verdict):
    result = compare_pairs([a], [b], metric=METRICS["parameter_count"], final=False)
    assert result.verdict == verdict
    assert result.evidence == (MOST_EVIDENCE if a != b else 0.0)


def test_a_size_below_its_grain_is_same():
    size = METRICS["model_size"]
    assert compare_pairs([1e6], [1e6 + 4000], metric=size, final=False).verdict == "same"
    assert compare_pairs([1e6], [1e6 + 5000], metric=size, final=False).verdict == "regressed"


def test_the_sentence_says_what_remains_to_do():
    a, b = pairs(0.03, 0.05, 3, 5)
    assert "another pair" in compare_pairs(a, b, metric=LATENCY, final=False).sentence
    assert "budget is spent" in compare_pairs(a, b, metric=LATENCY, final=True).sentence
    told = compare_pairs(*pairs(0.2, 0.01, 5, 2), metric=LATENCY, final=True)
    assert told.sentence.startswith("Latency p50 rose 2")
    assert "5 pairs" in told.sentence


ERRORS = METRICS["server_error_rate"]
DISTANCE = METRICS["accuracy_cosine_distance"]
QUALITY = metric_get("evaluate.higher.score")


@pytest.mark.parametrize(
    ("a", "b", "metric", "verdict"),
    [
        ([0.0] * 4, [0.0] * 4, ERRORS, "same"),
        ([0.0] * 4, [0.05, 0.06, 0.05, 0.055], ERRORS, "regressed"),
        ([0.05, 0.06, 0.05, 0.055], [0.0] * 4, ERRORS, "improved"),
        ([0.0] * 8, [0.0, 0.0005] * 4, ERRORS, "same"),  # below the grain
        ([0.0] * 4, [0.0, 0.4, 0.0, 0.0], ERRORS, "unknown"),
        ([0.0] * 4, [1e-4] * 4, DISTANCE, "regressed"),
        ([0.0] * 4, [1e-9] * 4, DISTANCE, "same"),
        ([0.0] * 3, [0.0] * 3, LATENCY, "same"),
        ([-2.0, -2.01, -1.99, -2.0], [-1.5, -1.51, -1.5, -1.49], QUALITY, "improved"),
        ([-2.0, -2.01, -1.99, -2.0], [-2.5, -2.51, -2.5, -2.49], QUALITY, "regressed"),
        ([-1.0, 1.0, -1.0, 1.0], [1.0, -1.0, 1.0, -1.0], QUALITY, "unknown"),
    ],
)
def test_values_of_zero_or_below_are_compared_by_their_differences(a, b, metric, verdict):
    result = compare_pairs(a, b, metric=metric, final=True)
    assert result.verdict == verdict, result.sentence
    assert all(np.isfinite(value) for value in (result.relative, result.evidence))
    assert result.relative_low <= result.relative <= result.relative_high


def test_a_change_is_read_relative_to_the_good_build():
    lower = compare_pairs([-2.0] * 4, [-2.5] * 4, metric=QUALITY, final=True)
    assert lower.relative == pytest.approx(-0.25)
    assert compare_pairs([0.0] * 4, [0.05] * 4, metric=ERRORS, final=True).relative == 1.0


def test_differences_keep_false_alarms_under_alpha():
    generator = np.random.default_rng(11)
    told = [
        compare_pairs(*np.abs(generator.normal(0, 0.01, (2, 8))).round(2), metric=ERRORS, final=True).verdict
        for _ in range(400)
    ]
    assert told.count("regressed") + told.count("improved") < ALPHA * len(told)


@pytest.mark.parametrize(
    ("a", "b", "metric", "words"),
    [
        ([], [], LATENCY, "as many values"),
        ([1.0], [1.0, 2.0], LATENCY, "as many values"),
        ([1.0], [float("nan")], LATENCY, "finite"),
        ([1.0], [1.0], METRICS["latency_cv"], "never judged"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, metric, words):
    with pytest.raises(ValueError, match=words):
        compare_pairs(a, b, metric=metric, final=True)


def test_the_result_becomes_a_comparison_of_the_report():
    metric = Metric("latency_p50", "Latency p50", "s", "lower", 0.03, 0.0, format_seconds)
    a, b = pairs(0.2, 0.01, 5, 3)
    row = compare_pairs(a, b, metric=metric, final=True).as_comparison(
        Case(model="m", runner="torch", suite="latency"), metric, a, b
    )
    assert (row.verdict, row.a, row.b) == ("regressed", tuple(a), tuple(b))
    assert row.relative_low < row.relative < row.relative_high


def futile(a, b, most=8, metric=LATENCY):
    result = compare_pairs(a, b, metric=metric, final=False)
    return is_futile(result, len(a), most, metric=metric, before=float(np.median(a)))


def test_nothing_is_futile_from_zero():
    assert not futile([0.0] * 6, [0.0, 0.0005, 0.0, 0.0005, 0.002, 0.0], metric=ERRORS)


def test_wide_and_empty_is_futile_after_four_pairs():
    a, b = [1.0, 1.2, 0.9, 1.1], [1.1, 1.0, 1.0, 1.1]
    assert futile(a, b)
    assert not futile(a[:3], b[:3])
    assert not futile(a, b, most=10**6)


def test_what_looks_relevant_or_tight_is_not_futile():
    a = [1.0, 1.02, 0.99, 1.01]
    assert not futile(a, [1.2, 1.3, 1.1, 1.25])
    assert not futile(a, [1.003, 1.018, 0.992, 1.011])


def split(metric: str, samples: np.ndarray) -> tuple[float, ...]:
    value = float(np.median(samples)) if samples.size else 1.0
    unit = metric_get(metric).unit
    case = Case(model="m", runner="torch", suite="latency")
    return samples_split(
        Measurement(case=case, metric=metric, value=value, unit=unit, n=max(1, samples.size), samples=samples)
    )


@pytest.mark.parametrize(
    ("metric", "of_block"),
    [
        ("latency_p50", np.median),
        ("gpu_compute_time_p50", np.median),
        ("gpu_compute_time_cold_p50", np.median),
        ("latency_p90", lambda part: np.quantile(part, 0.9)),
        ("gpu_compute_time_p99", lambda part: np.quantile(part, 0.99)),
        ("inter_token_latency_p99", lambda part: np.quantile(part, 0.99)),
        ("server_latency_mean", np.mean),
        ("throughput", np.median),
    ],
)
def test_a_block_has_the_value_that_the_metrics_name_ends_in(metric, of_block):
    samples = np.random.default_rng(5).gamma(2.0, 1e-3, 1600)
    assert split(metric, samples) == pytest.approx([of_block(part) for part in np.array_split(samples, 8)])


def test_blocks_are_large_enough_for_their_percentile():
    samples = np.linspace(1e-3, 2e-3, 400)
    assert len(split("latency_p99", samples)) == 4
    assert len(split("latency_p50", samples)) == 8
    assert split("latency_p50", samples[:5]) == (pytest.approx(float(np.median(samples[:5]))),)
    assert split("host_peak_memory", np.asarray([])) == (1.0,)


def test_event_pairs_of_one_process_tell_one_percent():
    """GPU times of one process wander slowly by a few hundredths of a per cent."""
    generator = np.random.default_rng(3)
    metric = METRICS["gpu_compute_time_p50"]
    verdicts = {"same": [], "more": []}
    for _ in range(60):
        good, again, more = (
            level * 1e-3 * (1 + generator.normal(0, 5e-4) + generator.normal(0, 5e-4, 500).cumsum() / 200)
            for level in (1.0, 1.0, 1.01)
        )
        for name, other in (("same", again), ("more", more)):
            pair = split(metric.name, good), split(metric.name, other)
            verdicts[name].append(compare_pairs(*pair, metric=metric, final=True).verdict)
    assert set(verdicts["same"]) <= {"same", "unknown"}
    assert verdicts["more"].count("regressed") >= 56
