"""The options in perfsite.toml, and the repository's own metrics."""

from __future__ import annotations

import time

import pytest

from benchmarks.cases import ONCE_SUITES, SUITES
from perfsite.core.errors import ConfigError
from perfsite.runs.config import Config, config_parse

ONE = '[models.cnn]\nentry = "models/cnn.py:build"\n'


def parsed(text: str) -> Config:
    return config_parse(text.encode())


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return str(caught.value)


OPTIONS = """
[defaults]
runners = ["torch", "onnxruntime"]
suites = ["latency", "server", "build"]
batches = [1, 8]
[defaults.options.server]
qps = [10, 50]
max_batch = 4
[defaults.options.latency]
provider.arena = 1
[models.a]
catalogue = "tiny-cnn"
[models.a.options.server]
max_batch = [8, 16]
[models.b]
catalogue = "tiny-cnn"
batches = [1]
"""


def test_options_make_cases_and_a_models_own_replace_the_defaults():
    a, b = parsed(OPTIONS).groups()
    assert [case.shape for case in b.cases if (case.runner, case.suite) == ("torch", "server")] == [
        "b1,max_batch=4,qps=10", "b1,max_batch=4,qps=50"
    ]  # fmt: skip
    shapes = [case.shape for case in a.cases if (case.runner, case.suite) == ("torch", "server")]
    assert shapes == [
        f"b{batch},max_batch={most},qps={qps}" for batch in (1, 8) for qps in (10, 50) for most in (8, 16)
    ]
    assert {case.shape for case in a.cases if case.suite == "build"} == {"b1"}


def test_a_runners_option_goes_to_its_cases_alone():
    a, _ = parsed(OPTIONS).groups()
    assert {(case.runner, case.shape) for case in a.cases if case.suite == "latency"} == {
        ("torch", "b1"), ("torch", "b8"),
        ("onnxruntime", "b1,provider.arena=1"), ("onnxruntime", "b8,provider.arena=1"),
    }  # fmt: skip


def test_a_default_that_is_written_down_begins_no_series():
    text = ONE + 'suites = ["server"]\n[models.cnn.options.server]\nmax_batch = [1, 4]\ngraph = true\n'
    (group,) = parsed(text).groups()
    assert {case.shape for case in group.cases} == {"b1", "b1,max_batch=4"}


def test_what_is_not_of_a_batch_is_measured_at_the_first():
    suites = ", ".join(f'"{suite}"' for suite in SUITES if suite != "evaluate")
    groups = parsed(
        f'[models.a]\nentry = "a.py:f"\nrunners = ["torch"]\nbatches = [4, 8]\nsuites = [{suites}]\n'
        'evaluate = "q.py:score"\n'
    ).groups()
    cases = [case for group in groups for case in group.cases]
    assert {case.suite for case in cases} == set(SUITES)
    assert {case.suite for case in cases if case.batch == 8} == set(SUITES) - ONCE_SUITES


def test_a_model_with_a_function_of_its_own_is_evaluated_and_no_other():
    a, b = parsed(
        '[defaults]\nrunners = ["torch"]\nsuites = ["latency", "evaluate"]\n'
        '[models.a]\nentry = "a.py:f"\nevaluate = "quality/q.py:score"\nevaluate_lower = ["wer", "cer"]\n'
        '[models.b]\ncatalogue = "tiny-cnn"\n'
    ).groups()
    assert (a.source.evaluate, a.source.evaluate_lower) == ("quality/q.py:score", ("wer", "cer"))
    assert [case.suite for case in a.cases] == ["latency", "evaluate"]
    assert [case.suite for case in b.cases] == ["latency"]


def test_options_count_as_cases():
    many = ", ".join(str(number) for number in range(1, 101))
    text = (
        f'[models.a]\ncatalogue = "x"\nsuites = ["server"]\n[models.a.options.server]\nqps = [{many}]\n'
        f"max_batch = [{many}]\nmax_delay_ms = [{many}]\n"
    )
    started = time.monotonic()
    assert "perfsite.toml line 1, models.a: with it the file asks for 2000000 cases" in refused(text)
    assert time.monotonic() - started < 5


def test_options_too_long_to_key_a_series_are_refused():
    long = "".join(f'provider.name_{number:02} = "{"v" * 40}"\n' for number in range(4))
    text = ONE + 'runners = ["onnxruntime"]\n[models.cnn.options.latency]\n' + long
    assert "line 4, models.cnn.options.latency: the options of one case have more than 150" in refused(text)


MISTAKES = [
    (
        "[defaults.options.sever]\n" + ONE,
        "line 1, defaults.options.sever: unknown suite; did you mean 'server'?",
    ),
    (
        "[defaults.options.server]\nqsp = 1\n" + ONE,
        "line 2, defaults.options.server.qsp: unknown option; did you mean 'qps'? known: graph",
    ),
    (
        "[defaults.options.sweep]\nqps = 1\n" + ONE,
        "line 2, defaults.options.sweep.qps: option qps says nothing to suite sweep; it belongs to server",
    ),
    (
        "[defaults.options.latency]\nrebuilds = 3\n" + ONE,
        "options.latency.rebuilds: option rebuilds says nothing to suite latency; it belongs to build",
    ),
    (
        ONE + 'suites = ["build"]\n[models.cnn.options.build]\nrebuilds = 3\n',
        "option rebuilds says nothing to the model's runners: torch, onnxruntime",
    ),
    (
        "[defaults.options.server]\nqps = 1\n" + ONE,
        "line 1, defaults.options.server: no model is measured with ",
    ),
    (
        "[defaults.options.latency]\ngraph = 1\n" + ONE,
        "line 2, defaults.options.latency.graph: option graph is true",
    ),
    ("[defaults.options.latency]\ngraph = []\n" + ONE, "options.latency.graph: should not be empty"),
    ("[defaults.options.latency]\ngraph = [true, true]\n" + ONE, "latency.graph: True is listed twice"),
    ("[defaults.options]\nlatency = 1\n" + ONE, "line 2, defaults.options.latency: should be a table, not 1"),
    ("[defaults]\noptions = 1\n" + ONE, "line 2, defaults.options: should be a table, not 1"),
    ('[defaults.options.latency]\nprovider."a,b" = 1\n' + ONE, "'a,b' is no provider option"),
    (
        "[defaults.options.latency]\nprovider.a = [[1]]\n" + ONE,
        "latency.provider.a: a provider's option is a text",
    ),
    (
        ONE + "[models.cnn.options.server]\nqps = 1\n",
        "line 3, models.cnn.options.server: the model is not measured with suite server; add it to suites",
    ),
    (
        ONE + '[models.cnn.options.latency]\ncompile_mode = "default"\n',
        "line 4, models.cnn.options.latency."
        "compile_mode: option compile_mode says nothing to the model's runners: torch, onnxruntime",
    ),
    (
        ONE + 'suites = ["server"]\n[models.cnn.options.server]\nqps = [1, "x"]\n',
        "line 5, models.cnn.options.server.qps: option qps is a number, not 'x'",
    ),
    (ONE + 'suites = ["server"]\noptions.server.qps = ' + "9" * 400 + "\n", "option qps is not that large"),
    (ONE + 'evaluate = "q.py"\n', "line 3, models.cnn.evaluate: 'q.py' is no entry point"),
    (
        ONE + 'evaluate = "q.py:f"\nevaluate_lower = ["a b"]\n',
        "models.cnn.evaluate_lower[0]: 'a b' cannot name",
    ),
    (
        ONE + 'evaluate_lower = ["a"]\n',
        "models.cnn: evaluate_lower names metrics of evaluate, and there is no",
    ),
    (ONE + 'suites = ["evaluate"]\n', "models.cnn: suite evaluate needs evaluate = 'path/file.py:function'"),
    ('[defaults]\nsuites = ["evaluate"]\n' + ONE, "line 3, models.cnn: no suite is left to measure it with"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_line_and_key(text: str, words: str):
    assert words in refused(text)
