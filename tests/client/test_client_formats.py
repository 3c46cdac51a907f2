"""Each format on a real sample (their origins: data/README.md), and what is none of its files."""

from pathlib import Path

import pytest

from perfsite.client.formats import FORMATS
from perfsite.client.measured import FormatError, Measured, median_interval, percentile

DATA = Path(__file__).parent / "data"
FILES = {
    "own": "own.json",
    "pytest-benchmark": "pytest_benchmark.json",
    "google-benchmark": "google_benchmark.json",
    "trtexec": "trtexec.json",
    "perf-analyzer": "perf_analyzer.csv",
    "asv": "asv.json",
}


def rows_of(name: str) -> dict[tuple[str, str, str], Measured]:
    reading = FORMATS[name].read((DATA / FILES[name]).read_text(), "resnet50")
    return {(row.model, row.shape, row.metric): row for row in reading.rows}


def test_every_format_has_a_sample():
    assert set(FILES) == set(FORMATS)


def test_own_report():
    rows = rows_of("own")
    row = rows["tiny-cnn", "b1", "latency_p50"]
    assert (row.runner, row.precision, row.suite) == ("torch", "fp32", "latency")
    assert row.ci_low <= row.value <= row.ci_high
    assert row.n > 1
    reading = FORMATS["own"].read((DATA / "own.json").read_text(), "")
    assert reading.generator.startswith("benchmarks")
    assert reading.facts["cpu_model"] == "AMD EPYC"


def test_pytest_benchmark():
    rows = rows_of("pytest-benchmark")
    assert {key[:2] for key in rows} == {("test_sort", "10"), ("test_sort", "1000"), ("test_join", "b1")}
    small = rows["test_sort", "10", "latency_p50"]
    assert small.value == pytest.approx(1.4489999860719157e-07)
    assert (small.n, small.ci_low) == (38625, None)


def test_google_benchmark_tells_means_of_one_run_and_medians_of_repetitions():
    rows = rows_of("google-benchmark")
    assert set(rows) == {
        ("BM_Copy", "1024", "latency_mean"),
        ("BM_Sort", "4096", "latency_p50"),
        ("BM_Sort", "4096", "throughput"),
    }
    assert rows["BM_Copy", "1024", "latency_mean"].value == pytest.approx(61.7e-9)
    sort = rows["BM_Sort", "4096", "latency_p50"]
    assert (sort.value, sort.n) == (pytest.approx(134.9e-6), 3)
    assert rows["BM_Sort", "4096", "throughput"].value == 30.3e6


def test_trtexec_keeps_gpu_time_and_latency_apart():
    rows = rows_of("trtexec")
    assert rows["resnet50", "b1", "gpu_compute_time_p50"].value == pytest.approx(2.02e-3)
    assert rows["resnet50", "b1", "gpu_compute_time_p99"].value == pytest.approx(2.04e-3)
    assert rows["resnet50", "b1", "latency_with_copies_p50"].value == pytest.approx(2.17e-3)
    assert rows["resnet50", "b1", "gpu_compute_time_p50"].n == 50


def test_perf_analyzer_has_a_shape_for_each_load():
    rows = rows_of("perf-analyzer")
    assert rows["resnet50", "b1,concurrency=4", "throughput"].value == 321.5
    assert rows["resnet50", "b1,concurrency=1", "latency_p99"].value == pytest.approx(11.522e-3)


def test_asv_unrolls_parameters_and_knows_its_kinds():
    rows = rows_of("asv")
    assert rows["sorting.Sorting.sort", "1000", "latency_p50"].value == pytest.approx(4.707e-6, rel=1e-3)
    assert rows["sorting.Sorting.sort", "10", "host_peak_memory"].value == 36417536
    assert rows["sorting.depth", "b1", "evaluate.lower.track_depth"].value == 42
    assert rows["sorting.table", "b1", "evaluate.lower.mem_table"].value == 80056
    assert FORMATS["asv"].read((DATA / "asv.json").read_text(), "").sha.startswith("2bc5681")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "[1]", '{"benchmarks": [1]}', "a,b\n1,2\n", "{"])
def test_another_file_is_refused_in_a_sentence(name, text):
    with pytest.raises(FormatError) as caught:
        FORMATS[name].read(text, "m")
    assert len(str(caught.value)) > 15


def test_formats_that_name_no_model_ask_for_it():
    for name in ("trtexec", "perf-analyzer"):
        with pytest.raises(FormatError, match="--name"):
            FORMATS[name].read((DATA / FILES[name]).read_text(), "")


def test_percentile_and_interval_of_the_median():
    assert percentile([1, 2, 3, 4, 5], 0.5) == 3
    assert percentile([1, 2], 0.99) == pytest.approx(1.99)
    value, low, high = median_interval(list(range(101)))
    assert (value, low, high) == (50, 40, 60)
