"""Options: their rows, their forms, whom they concern, and the cases that a command line makes of them."""

import pytest
from pydantic import ValidationError

from benchmarks.cases import DEFAULT_SUITES, ONCE_SUITES, RUNNERS, SUITES, Case
from benchmarks.cli.asking import jobs_asked, option_values
from benchmarks.cli.main import parser_make
from benchmarks.options import (
    OPTIONS,
    of_runner,
    option_checked,
    option_concerns,
    option_read,
    options_checked,
    options_written,
)

CASE = Case(model="m", runner="torch", suite="server", batch=8, options={"qps": 50, "max_batch": 4})


def asked(*arguments: str):
    return jobs_asked(parser_make().parse_args(["run", *arguments]))


def labels(*arguments: str) -> list[str]:
    return [case.label for job in asked(*arguments) for case in job.cases]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_row_concerns_somebody_and_takes_what_it_says(name):
    row = OPTIONS[name]
    assert row.suites or row.runners
    assert set(row.suites) <= set(SUITES)
    assert set(row.runners) <= set(RUNNERS)
    value = {bool: True, str: (row.choices or ("text",))[0]}.get(row.kind, row.kind(max(row.low, 1)))
    assert option_checked(name, value) == value
    assert row.default is None or option_checked(name, row.default) == row.default
    assert option_read(options_written(((name, value),))[0]) == (name, value)
    assert any(option_concerns(name, suite=suite, runner=runner) for suite in SUITES for runner in RUNNERS)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("qps", True, "is a number"), ("qps", float("nan"), "lies between"), ("qps", 0, "lies between"),
        ("streams", 2.0, "whole number"), ("cache", 1, "true or false"), ("policy", "lifo", "one of fifo"),
        ("other", "a,b", "without commas"), ("other", "", "1 to 80"), ("nothing", 1, "unknown option"),
        ("provider.x", "a,b", "without commas"),
    ],
)  # fmt: skip
def test_a_value_that_a_row_does_not_allow_is_refused(name, value, words):
    with pytest.raises(ValueError, match=words):
        option_checked(name, value)


def test_a_case_is_written_read_and_found_again_by_its_shape():
    assert CASE.shape == "b8,max_batch=4,qps=50"
    assert Case.model_validate_json(CASE.model_dump_json()) == CASE
    assert Case(**{**CASE.model_dump(), "options": {"max_batch": 4, "qps": 50.0}}) == CASE
    plain = Case(model="m", runner="torch", suite="server")
    assert plain.at_shape(CASE.shape) == CASE
    assert CASE.at(batch=1, qps=None, max_batch=None) == plain
    assert plain.origin == CASE.origin


def test_a_texts_own_equal_sign_survives_a_shape():
    case = Case(model="m", runner="onnxruntime", suite="latency", options={"provider.arena": "a=b c"})
    assert case.at(batch=3).at_shape(case.shape) == case


def test_options_are_sorted_so_that_a_case_has_one_shape():
    assert options_checked([("qps", 3), ("max_batch", 2)]) == (("max_batch", 2), ("qps", 3.0))


@pytest.mark.parametrize("name", [name for name, row in OPTIONS.items() if row.default is not None])
def test_a_default_that_is_said_is_the_same_series_as_one_that_is_not(name):
    said = option_checked(name, OPTIONS[name].default)
    assert options_checked({name: said}) == ()
    plain = Case(model="m", runner="torch", suite="server", options={"qps": 5})
    assert plain.at(**{name: said}) == plain
    written = options_written(((name, said),))[0]
    assert plain.at_shape(f"b1,{written},qps=5") == plain


def test_the_defaults_are_those_that_the_code_takes():
    defaults = {name: row.default for name, row in OPTIONS.items() if row.default is not None}
    assert defaults == {
        "graph": True, "compile_mode": "default", "refit": False, "rebuilds": 1,
        "max_batch": 1, "max_delay_ms": 0.0, "processes": False,
    }  # fmt: skip
    assert options_checked({"graph": False, "rebuilds": 2, "max_delay_ms": 0.5}) == (
        ("graph", False), ("max_delay_ms", 0.5), ("rebuilds", 2)
    )  # fmt: skip


def test_an_option_of_a_suite_and_of_runners_needs_both():
    assert option_concerns("rebuilds", suite="build", runner="tensorrt_rtx")
    assert not option_concerns("rebuilds", suite="build", runner="torch")
    assert not option_concerns("rebuilds", suite="latency", runner="tensorrt")
    assert of_runner((("graph", False), ("rebuilds", 3))) == (("graph", False),)
    # it makes no series of a suite that records no graph
    assert option_concerns("graph", suite="latency", runner="torch")
    assert not option_concerns("graph", suite="accuracy", runner="torch")


def test_rebuilds_go_to_the_builds_of_engines_alone():
    told = ["--onnx", "m.onnx", "--suite", "build", "--runner", "onnxruntime", "--option", "rebuilds=3"]
    with pytest.raises(ValueError, match="the suite build with the runner tensorrt or tensorrt_rtx"):
        labels(*told)
    assert labels(*told, "--runner", "tensorrt_rtx") == [
        "m/onnxruntime/fp32/b1/build",
        "m/tensorrt_rtx/fp32/b1,rebuilds=3/build",
    ]


def test_a_default_on_the_command_line_is_no_series_of_its_own():
    told = ["--model", "tiny-cnn", "--runner", "torch", "--suite", "server"]
    assert labels(*told, "--option", "max_batch=1", "--option", "graph=true") == labels(*told)


def test_values_of_a_command_line():
    assert option_values(["streams=1,2, 4", "qps=10", "qps=20", "qps=10"]) == {
        "streams": (1, 2, 4), "qps": (10.0, 20.0)
    }  # fmt: skip
    assert option_values(["policy=fifo", "policy=priority"]) == {"policy": ("fifo", "priority")}
    with pytest.raises(ValueError, match="without commas"):
        option_values(["other=a,b"])


def test_an_option_goes_to_the_cases_it_concerns_and_a_list_makes_a_case_each():
    told = ["--model", "tiny-cnn", "--runner", "torch", "--suite", "latency", "--suite", "server"]
    assert labels(*told, "--option", "qps=10,50", "--option", "max_batch=8") == [
        "tiny-cnn/torch/fp32/b1/latency",
        "tiny-cnn/torch/fp32/b1,max_batch=8,qps=10/server",
        "tiny-cnn/torch/fp32/b1,max_batch=8,qps=50/server",
    ]


def test_a_provider_option_goes_to_onnxruntime_alone():
    told = ["--model", "tiny-cnn", "--suite", "latency", "--option", "provider.arena_extend_strategy=kSame"]
    assert labels(*told) == [
        "tiny-cnn/torch/fp32/b1/latency",
        "tiny-cnn/onnxruntime/fp32/b1,provider.arena_extend_strategy=kSame/latency",
    ]


def test_default_and_all_suites():
    assert {case.suite for job in asked("--model", "tiny-cnn") for case in job.cases} == set(DEFAULT_SUITES)
    (job,) = asked(
        "--model", "tiny-cnn", "--suite", "all", "--runner", "torch", "--batch", "1", "--batch", "2"
    )
    assert {case.suite for case in job.cases} == set(SUITES)
    assert {case.suite for case in job.cases if case.batch == 2} == set(SUITES) - ONCE_SUITES


def test_two_models_are_measured_together_once():
    told = ["--model", "tiny-cnn", "--model", "tiny-bert", "--suite", "mixed", "--runner", "torch"]
    assert labels(*told) == ["tiny-cnn/torch/fp32/b1,other=tiny-bert/mixed"]
    assert labels(*told, "--suite", "latency") == [
        "tiny-cnn/torch/fp32/b1,other=tiny-bert/mixed",
        "tiny-cnn/torch/fp32/b1/latency",
        "tiny-bert/torch/fp32/b1/latency",
    ]
    assert labels(*told, "--option", "other=tiny-clip") == [
        "tiny-cnn/torch/fp32/b1,other=tiny-clip/mixed",
        "tiny-bert/torch/fp32/b1,other=tiny-clip/mixed",
    ]


def test_a_function_to_evaluate_with_brings_its_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = ["--model", "tiny-cnn", "--runner", "torch", "--suite", "build", "--evaluate", "quality.py:score"]
    (job,) = asked(*told, "--evaluate-lower", "wer")
    assert (job.source.evaluate, job.source.evaluate_lower) == ("quality.py:score", ("wer",))
    assert [case.suite for case in job.cases] == ["build", "evaluate"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--option", "provider.x=1", "--runner", "torch"],
            "provider.x says nothing .* the runner onnxruntime",
        ),
        (["--option", "compile_mode=default"], "compile_mode says nothing .* the runner torch_compile"),
        (["--option", "qps"], "'qps' is no option; write it as name=value"),
        (["--option", "speed=3"], "unknown option 'speed'; known: graph"),
        (["--option", "qps=3,fast", "--suite", "server"], "option qps is a number, not 'fast'"),
        (["--evaluate", "/etc/q.py:f"], "must lie below"),
        (["--evaluate", "q.py"], "write it as path/file.py:function"),
        (["--evaluate", "q.py:f", "--evaluate-lower", "a/b"], "'a/b' cannot name a metric"),
        (["--evaluate-lower", "wer"], "--evaluate, which was not given"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_asked_is_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        asked("--model", "tiny-cnn", *arguments)


def test_a_function_to_evaluate_with_lies_where_the_models_paths_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (job,) = asked("--onnx", "exported/m.onnx", "--evaluate", "exported/q.py:f", "--suite", "evaluate")
    assert (job.source.ref, job.source.evaluate, job.checkout) == (
        "exported/m.onnx",
        "exported/q.py:f",
        tmp_path,
    )
    (job,) = asked("--onnx", "/srv/m.onnx", "--evaluate", "/srv/quality/q.py:f", "--suite", "evaluate")
    assert (job.source.ref, job.source.evaluate, str(job.checkout)) == ("m.onnx", "quality/q.py:f", "/srv")


@pytest.mark.parametrize("value", [None, 7, True, [1], [[["a"], 1]], [[3, 4]], "text"])
def test_options_that_are_no_table_are_refused_not_broken(value):
    with pytest.raises(ValidationError):
        Case(model="m", runner="torch", suite="latency", options=value)
