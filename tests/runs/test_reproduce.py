"""The commands a person copies to measure again."""

from itertools import product

import pytest
from pydantic import ValidationError

from benchmarks.cases import ModelSource
from perfsite.runs.reproduce import reproduce_command, reproduce_lines
from tests.factories import case_make

SOURCE = ModelSource(kind="entry", ref="models/a b.py:build")
CASES = [
    case_make(runner=runner, suite=suite)
    for runner, suite in product(("torch", "onnxruntime"), ("latency", "memory"))
]
SPEC = {"source": SOURCE.model_dump(), "cases": [case.model_dump() for case in CASES]}


def test_one_line_measures_all_that_differ_in_runner_and_suite_only():
    lines = reproduce_lines(SPEC, sha="f" * 40, repo="git@forge:acme/zoo.git")
    assert lines == [
        "git clone git@forge:acme/zoo.git zoo && cd zoo",
        f"git checkout --detach {'f' * 40}",
        "python -m benchmarks run --entry 'models/a b.py:build' --runner torch --runner onnxruntime "
        "--precision fp32 --batch 1 --suite latency --suite memory --duration 1",
    ]


def test_another_duration_needs_another_line():
    slower = case_make(runner="torch", suite="latency", duration_s=5.0)
    spec = {**SPEC, "cases": [*SPEC["cases"], slower.model_dump()]}
    assert len(reproduce_lines(spec, sha="f" * 40, repo="/srv/zoo")) == 4


def test_only_narrows_to_the_cases_asked_for():
    lines = reproduce_lines(SPEC, sha="f" * 40, repo="/srv/zoo", only={"runner": "torch", "suite": "memory"})
    assert lines[-1].endswith("--runner torch --precision fp32 --batch 1 --suite memory --duration 1")
    assert reproduce_lines(SPEC, sha="f" * 40, repo="/srv/zoo", only={"runner": "tensorrt"}) == []


def test_hostile_names_stay_words():
    command = reproduce_command(
        sha="f" * 40, source=ModelSource(kind="entry", ref="x.py:f; rm -rf ~"), case=CASES[0]
    )
    assert "'x.py:f; rm -rf ~'" in command


def test_source_of_an_unknown_kind_is_refused():
    with pytest.raises(ValidationError):
        reproduce_lines({**SPEC, "source": {"kind": "telepathy", "ref": "x"}}, sha="f", repo="r")
