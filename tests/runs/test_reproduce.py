"""The commands a person copies to measure again."""

import shlex
from itertools import product

import pytest
from pydantic import ValidationError

from benchmarks.cases import ModelSource
from benchmarks.cli.asking import jobs_asked
from benchmarks.cli.main import parser_make
from perfsite.runs.reproduce import measure_lines, reproduce_command, reproduce_lines
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


def test_given_cases_are_measured_instead_of_the_order():
    point = case_make(suite="sweep", options={"size": 512})
    lines = reproduce_lines(SPEC, sha="f" * 40, repo="/srv/zoo", cases=[point])
    assert lines[-1].endswith(
        "--runner torch --precision fp32 --batch 1 --suite sweep --option size=512 --duration 1"
    )
    assert reproduce_lines(SPEC, sha="f" * 40, repo="/srv/zoo", cases=[]) == []


def test_the_lines_measure_exactly_the_cases_of_the_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cases = [
        case_make(suite="latency"),
        case_make(suite="latency", batch=8),
        case_make(suite="build"),
        *(case_make(suite="server", options={"qps": qps, "max_batch": 4}) for qps in (10.5, 50)),
        case_make(suite="latency", runner="onnxruntime", options={"provider.arena": "a b", "graph": False}),
        case_make(suite="evaluate", duration_s=0.25),
    ]
    source = ModelSource(
        kind="catalogue", ref="cnn", evaluate="quality/q r.py:score", evaluate_lower=("wer", "cer")
    )
    made = []
    for line in measure_lines(source=source, cases=cases):
        words = shlex.split(line)
        assert words[:4] == ["python", "-m", "benchmarks", "run"]
        jobs = jobs_asked(parser_make().parse_args(words[3:]))
        made += [case for job in jobs for case in job.cases]
        evaluated = [job.source for job in jobs if any(case.suite == "evaluate" for case in job.cases)]
        assert all(one == source for one in evaluated)
    assert sorted(made, key=str) == sorted(cases, key=str)


def test_hostile_names_stay_words():
    command = reproduce_command(
        sha="f" * 40, source=ModelSource(kind="entry", ref="x.py:f; rm -rf ~"), case=CASES[0]
    )
    assert "'x.py:f; rm -rf ~'" in command


def test_source_of_an_unknown_kind_is_refused():
    with pytest.raises(ValidationError):
        reproduce_lines({**SPEC, "source": {"kind": "telepathy", "ref": "x"}}, sha="f", repo="r")


def test_delivered_file_is_fetched_and_verified_and_its_signature_is_not_told():
    spec = {**SPEC, "source": {"kind": "onnx", "ref": "model.onnx"}}
    lines = reproduce_lines(
        spec, sha="a" * 64, repo="r", file="https://m.example/a.onnx?X-Amz-Signature=secret"
    )
    assert lines[0].startswith("curl -fLo model.onnx https://m.example/a.onnx ")
    assert lines[1] == f"echo '{'a' * 64}  model.onnx' | sha256sum --check"
    assert "--onnx model.onnx" in lines[2]
    assert "secret" not in " ".join(lines)
    assert "git" not in " ".join(lines)
    command = reproduce_command(
        sha="a" * 64,
        source=ModelSource(kind="onnx", ref="model.onnx"),
        case=CASES[0],
        file="https://m.example/a.onnx?X-Amz-Signature=secret",
    )
    assert command.startswith("curl -fLo model.onnx https://m.example/a.onnx && echo ")
    assert "sha256sum --check && python -m benchmarks run --onnx model.onnx" in command
    assert "secret" not in command
    assert "git" not in command
