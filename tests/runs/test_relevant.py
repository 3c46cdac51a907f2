"""The smallest changes worth telling: which key holds for a case, and what a worker is told of them."""

from __future__ import annotations

import pytest

from benchmarks.metrics import metric_get
from perfsite.runs.cases import case_label
from perfsite.runs.relevant import Relevant, case_check, key_read, key_words, keys_tied
from tests.factories import case_make

LATENCY = metric_get("latency_p50")
TABLE = {
    "latency_p50": 0.05,
    "resnet50/**:latency_p50": 0.06,
    "resnet50/onnxruntime/*/*:latency_p50": 0.07,
    "resnet50/onnxruntime/*/b8,qps=50:latency_p50": 0.0,
    "**/b8:model_size": 0.5,
}


@pytest.mark.parametrize(
    ("case", "metric", "part"),
    [
        ("bert/torch/fp32/b1", "latency_p50", 0.05),
        ("resnet50/torch/fp32/b1", "latency_p50", 0.06),
        ("resnet50/onnxruntime/fp16/b1", "latency_p50", 0.07),
        ("resnet50/onnxruntime/fp16/b8,qps=50", "latency_p50", 0.0),
        ("resnet50/onnxruntime/fp16/b8", "model_size", 0.5),
        ("resnet50/onnxruntime/fp16/b1", "model_size", None),
        ("resnet50/onnxruntime/fp16/b1", "latency_p99", None),
    ],
)
def test_the_most_specific_key_holds(case: str, metric: str, part: float | None):
    assert Relevant(TABLE).part(metric, case=case) == part
    row = metric_get(metric)
    assert Relevant(TABLE).metric_of(row, case=case).relevant == (row.relevant if part is None else part)


def test_a_key_is_read_and_told_of():
    assert key_read("a/torch/fp32/b8,qps=50:latency_p50") == ("a/torch/fp32/b8,qps=50", "latency_p50")
    assert key_read("latency_p50") == ("", "latency_p50")
    assert key_words("a/**:latency_p50") == "latency_p50 of a/**"
    assert key_words("latency_p50") == "latency_p50"
    assert not Relevant({"latency_p50": 0.1}).has_cases
    assert Relevant(TABLE).has_cases


@pytest.mark.parametrize("pattern", ["*/*/*/*", "cnn/**", "cnn/", "**", "**/b1", "org/cnn/torch/fp32/b1"])
def test_a_pattern_that_can_match_a_case_is_taken(pattern: str):
    assert case_check(pattern) is None  # it raises what it refuses


@pytest.mark.parametrize("pattern", ["cnn", "cnn/torch", "cnn/*/fp32"])
def test_one_with_too_few_parts_is_refused_with_what_to_write(pattern: str):
    with pytest.raises(ValueError, match=r"matches no case.*'cnn/\*\*' is every case of a model"):
        case_check(pattern)


@pytest.mark.parametrize(
    ("keys", "tied"),
    [
        (["a/*/*/*:latency_p50", "*/b/*/*:latency_p50"], True),
        (["a/*/*/*:latency_p50", "b/*/*/*:latency_p50"], False),
        (["a/*/*/*:latency_p50", "*/b/*/*:latency_p99"], False),
        (["a/*/*/*:latency_p50", "*/bb/*/*:latency_p50"], False),
        (["latency_p50", "a/**:latency_p50"], False),
    ],
)
def test_equally_long_patterns_are_tied_where_one_case_can_match_both(keys: list[str], tied: bool):
    assert (keys_tied(keys) is not None) == tied


def told_of(table: dict[str, float], *cases) -> list[float]:
    """What a worker makes of it: the relevant change of latency p50 in each case."""
    by_metric, by_case = Relevant(table).told(cases)
    assert all(metric_get(name) for one in (by_metric, *by_case) for name in one)
    tables = by_case or ({},) * len(cases)
    return [{**by_metric, **one}.get(LATENCY.name, LATENCY.relevant) for one in tables]


SOME_TABLES = [
    {},
    {"latency_p50": 0.2},
    {"cnn/torch/*/*:latency_p50": 0.1},
    {"latency_p50": 0.2, "cnn/torch/*/*:latency_p50": 0.1},
    {"latency_p50": 0.2, "**/b8:latency_p50": 0.1, "cnn/torch/fp32/b8:latency_p50": 0.4},
]


@pytest.mark.parametrize("table", SOME_TABLES)
def test_a_worker_that_knows_no_patterns_decides_as_the_site(table: dict[str, float]):
    cases = [case_make(), case_make(batch=8), case_make(runner="onnxruntime", batch=8)]
    for some in (cases, cases[:1], cases[1:]):
        site = [Relevant(table).metric_of(LATENCY, case=case_label(case)).relevant for case in some]
        assert told_of(table, *some) == site


def test_what_is_the_same_for_all_cases_needs_no_table_of_a_case():
    table = {"latency_p50": 0.2, "cnn/torch/*/*:latency_p50": 0.1}
    assert Relevant(table).told([case_make(), case_make(batch=8)]) == ({"latency_p50": 0.1}, ())
    mixed = [case_make(), case_make(runner="onnxruntime")]
    assert Relevant(table).told(mixed) == ({"latency_p50": 0.2}, ({"latency_p50": 0.1}, {}))
