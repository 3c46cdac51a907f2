"""`[[level]]` of `perfsite.toml`: bounds with units, and every mistake told."""

import pytest

from benchmarks.metrics import METRICS, metric_get
from perfsite.core.errors import ConfigError
from perfsite.runs.config import config_parse
from perfsite.runs.quantities import UNITS, quantity_read

MODEL = '[models.bert]\ncatalogue = "tiny-bert"\n'


@pytest.mark.parametrize(
    ("metric", "written", "value"),
    [
        ("latency_p99", "80 ms", 0.08),
        ("latency_p99", "80ms", 0.08),
        ("latency_p50", "250 µs", 250e-6),
        ("throughput", 180, 180.0),
        ("throughput", "180 QPS", 180.0),
        ("host_peak_memory", "24 GB", 24e9),
        ("host_peak_memory", "24 GiB", 24 * 2.0**30),
        ("accuracy_cosine_distance", "1e-3", 1e-3),
        ("accuracy_top1", "99.5 %", 0.995),
        ("energy_per_sample", ".5 mJ", 0.0005),
    ],
)
def test_quantity_is_read_in_the_metrics_unit(metric, written, value):
    assert quantity_read(written, metric_get(metric)) == pytest.approx(value, rel=1e-12)


def test_every_metric_has_units():
    assert {metric.unit for metric in METRICS.values()} <= set(UNITS)


def test_levels_go_with_the_jobs_they_may_concern():
    text = MODEL + (
        '[[level]]\nmetric = "latency_p99"\nat_most = "80 ms"\nmodel = "bert"\nshape = "b8"\n'
        '[[level]]\nmetric = "throughput"\nat_least = 180\nprecision = "fp16"\n'
    )
    config = config_parse(text.encode())
    assert config.levels("bert", "fp32") == [
        {
            "key": "latency_p99 at_most model=bert shape=b8",
            "metric": "latency_p99",
            "direction": "at_most",
            "bound": 0.08,
            "model": "bert",
            "shape": "b8",
        }
    ]
    assert [level["metric"] for level in config.levels("other", "fp16")] == ["throughput"]


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ('metric = "latency_p99"\nat_most = "1e999 s"', "larger than any number"),
        ('metric = "latency_p9"\nat_most = "1 s"', "did you mean 'latency_p99'"),
        ('metric = "latency_p99"\nat_most = 80', "a number without a unit does not fit latency_p99"),
        ('metric = "latency_p99"\nat_most = "80 GB"', "unit 'GB' does not fit latency_p99"),
        ('metric = "latency_p99"\nat_most = "soon"', "'soon' is no number"),
        ('metric = "latency_p99"\nat_least = "80 ms"', "better less; use at_most"),
        ('metric = "throughput"\nat_most = 180', "better more; use at_least"),
        ('metric = "throughput"', "exactly one of at_most and at_least"),
        ('metric = "throughput"\nat_least = 1\nmodel = "berd"', "unknown model 'berd'; did you mean 'bert'"),
        ('metric = "throughput"\nat_least = 1\nrunner = "torhc"', "did you mean 'torch'"),
        ('metric = "throughput"\nat_least = 1\nbatch = 8', "unknown key"),
        (
            'metric = "throughput"\nat_least = 1\n[[level]]\nmetric = "throughput"\nat_least = 2',
            "the same service level",
        ),
        ('metric = "throughput"\nat_least = inf', "no number"),
    ],
)
def test_mistake_names_line_and_key(level, words):
    with pytest.raises(ConfigError) as error:
        config_parse(f"{MODEL}[[level]]\n{level}\n".encode())
    assert words in str(error.value)
    assert "perfsite.toml line" in str(error.value)
    assert "level[" in str(error.value)
