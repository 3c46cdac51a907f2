"""perfsite.toml: what it means, what is refused and in which words, and that nothing else can come out."""

from __future__ import annotations

import re
import time
import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.cases import DEFAULT_SUITES
from perfsite.core.errors import ConfigError
from perfsite.runs.config import MAX_BYTES, MAX_LINE, Config, config_parse

ONE = '[models.cnn]\nentry = "models/cnn.py:build"\n'


def parsed(text: str) -> Config:
    return config_parse(text.encode())


def refused(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        config_parse(text.encode() if isinstance(text, str) else text)
    return str(caught.value)


def test_the_documented_files_are_read(pytestconfig: pytest.Config):
    page = (pytestconfig.rootpath / "perfsite/runs/perfsite-toml.md").read_text()
    shortest, whole = (parsed(block) for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    assert shortest.models == ("cnn",)
    assert whole.models == ("cnn", "bert", "decoder", "detector")
    defaults, shown = parsed(ONE).document, whole.document
    assert shown.defaults.options == {"latency": {"graph": (True,)}}
    plain = shown.defaults.model_copy(update={"options": {}})
    assert (plain, shown.limits, shown.ignore) == (defaults.defaults, defaults.limits, defaults.ignore)


def test_the_shortest_file_measures_everything_once():
    config = parsed(ONE)
    (group,) = config.groups()
    assert (group.model, group.precision) == ("cnn", "fp32")
    assert (group.source.kind, group.source.ref) == ("entry", "models/cnn.py:build")
    assert [case.label for case in group.cases] == [
        f"cnn/{runner}/fp32/b1/{suite}" for runner in ("torch", "onnxruntime") for suite in DEFAULT_SUITES
    ]
    assert config.devices == ()
    assert (config.limits.wall_clock_s, config.limits.resident_bytes) == (900.0, 16 * 2**30)


def test_a_model_overrides_the_defaults_and_builds_once_per_runner():
    config = parsed(
        '[defaults]\nrunners = ["torch"]\nsuites = ["build", "latency"]\nduration = 2\n'
        '[models.a]\ncatalogue = "tiny-cnn"\nprecisions = ["fp32", "fp16"]\nbatches = [1, 8]\n'
        '[models.b]\nonnx = "m/b.onnx"\nrunners = ["onnxruntime"]\nduration = 0.5\n'
    )
    a32, a16, b = config.groups()
    assert [case.label for case in a16.cases] == [
        "a/torch/fp16/b1/build",
        "a/torch/fp16/b1/latency",
        "a/torch/fp16/b8/latency",
    ]
    assert {case.duration_s for case in a32.cases} == {2.0}
    assert {(case.runner, case.duration_s) for case in b.cases} == {("onnxruntime", 0.5)}
    assert (b.source.kind, b.source.ref) == ("onnx", "m/b.onnx")
    assert [group.model for group in config.groups(models=["b"])] == ["b"]


def test_branches():
    assert parsed(ONE).watches("main", "main")
    assert not parsed(ONE).watches("feature", "main")
    config = parsed('branches = ["main", "release/*"]\n' + ONE)
    assert config.watches("release/1.2", "trunk")
    assert not config.watches("release/1/2", "trunk")
    assert not config.watches("trunk", "trunk")


def test_a_readme_alone_is_skipped_and_says_why():
    config = parsed(ONE)
    assert config.trigger(["README.md", "docs/guide.txt"]) == (
        False,
        "the commit changes only README.md, docs/guide.txt, which `ignore` in perfsite.toml leaves out",
    )
    assert config.trigger(["README.md", "models/cnn.py"]) == (True, "")
    assert config.trigger([]) == (False, "the commit changes no file")


def test_ignore_can_be_emptied():
    assert parsed("ignore = []\n" + ONE).trigger(["README.md"]) == (True, "")


def test_paths_decide_per_model_but_the_file_itself_concerns_all():
    config = parsed(
        'paths = ["src/**"]\n' + ONE + '[models.b]\ncatalogue = "b"\npaths = ["b/**", "shared.py"]\n'
    )
    assert config.models_triggered(["src/x/y.py"]) == ("cnn",)
    assert config.models_triggered(["shared.py"]) == ("b",)
    assert config.models_triggered(["perfsite.toml"]) == ("cnn", "b")
    assert config.trigger(["o/a.py", "b.py", "c.py", "d.py"]) == (
        False,
        "the commit changes only o/a.py, b.py, c.py and 1 more, which is under no `paths` in perfsite.toml",
    )


def test_limits_are_seconds_and_gib():
    limits = parsed("[limits]\nwall_clock = 60\nmemory_gib = 0.5\n" + ONE).limits
    assert (limits.wall_clock_s, limits.resident_bytes) == (60.0, 2**29)


MISTAKES = [
    (
        '[models.cnn]\nentry = "a.py:f"\nrunners = [\n  "torch",\n  "tensort",\n]\n',
        "perfsite.toml line 5, models.cnn.runners[1]: unknown runner 'tensort'; did you mean 'tensorrt'? "
        "known: torch, torch_compile, onnxruntime, onnxruntime_tensorrt, tensorrt, tensorrt_rtx",
    ),
    ("brnches = []\n" + ONE, "perfsite.toml line 1, brnches: unknown key; did you mean 'branches'?"),
    ("[default]\n" + ONE, "perfsite.toml line 1, default: unknown key; did you mean 'defaults'?"),
    ("version = 2\n" + ONE, "perfsite.toml line 1, version: should be 1, not 2"),
    ('[defaults]\nbatches = ["1"]\n' + ONE, "line 2, defaults.batches[0]: should be a valid integer"),
    ("[defaults]\nbatches = [true]\n" + ONE, "defaults.batches[0]: should be a valid integer, not True"),
    ("[defaults]\nbatches = [0]\n" + ONE, "defaults.batches[0]: should be greater than or equal to 1, not 0"),
    ("[defaults]\nbatches = [1, 8, 1]\n" + ONE, "line 2, defaults.batches: 1 is listed twice"),
    ("[defaults]\nbatches = []\n" + ONE, "line 2, defaults.batches: should not be empty"),
    ('[defaults]\nprecisions = "fp32"\n' + ONE, "defaults.precisions: should be an array, not 'fp32'"),
    ("[defaults]\nduration = inf\n" + ONE, "line 2, defaults.duration: should be a finite number, not inf"),
    ("[limits]\nwall_clock = 1\n" + ONE, "line 2, limits.wall_clock: should be greater than or equal to 10"),
    ('devices = ["H100 80GB"]\n' + ONE, "'H100 80GB' is no device class; did you mean 'h100-80gb'"),
    ('paths = ["a/**b"]\n' + ONE, "line 1, paths[0]: pattern 'a/**b': ** must stand alone between slashes"),
    ('ignore = ["!a"]\n' + ONE, "line 1, ignore[0]: pattern '!a' contains '!'"),
    ("models = 3", "perfsite.toml line 1, models: should be a table, not 3"),
    ("", "perfsite.toml, models: no model to measure; add a table such as [models.cnn]"),
    ("[models]\n", "perfsite.toml line 1, models: no model to measure"),
    ("[models]\ncnn = 1\n", "perfsite.toml line 2, models.cnn: should be a table, not 1"),
    ("\n[models.cnn]\n", "line 2, models.cnn: a model has exactly one of entry, catalogue and onnx"),
    (ONE + 'onnx = "a.onnx"\n', "line 1, models.cnn: a model has exactly one of entry, catalogue and onnx; "
     "this one has entry and onnx"),
    ('[models."a/b"]\ncatalogue = "x"\n', 'perfsite.toml line 1, models."a/b": model name \'a/b\''),
    ('[models."a\\u0000"]\ncatalogue = "x"\n', 'models."a\\u0000": model name \'a\\x00\''),
    ("a = \n", "perfsite.toml line 1, column 5: Invalid value"),
    ("\na = [1\n", "perfsite.toml line 3, at the end: Unclosed array"),
    ("[a]\n[a]\n", "perfsite.toml line 2, column 3: Cannot declare ('a',) twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_line_and_key(text: str, words: str):
    assert words in refused(text)


@pytest.mark.parametrize(
    "ref",
    ["../m.py:f", "/m.py:f", "a/../m.py:f", "a//m.py:f", "./m.py:f", "m.py", "m.py:", "m.py:a.b", "m:f",
     "a\\\\m.py:f", "C:/m.py:f", "-m.py:f", "a/-m.py:f", "m\\u0000.py:f", "m\\n.py:f", "m.py:f()"],
)  # fmt: skip
def test_an_entry_stays_inside_the_checkout(ref: str):
    assert "line 2, models.m.entry" in refused(f'[models.m]\nentry = "{ref}"\n')


@pytest.mark.parametrize("ref", ["/a.onnx", "../a.onnx", "a.pb", "~/../a.onnx"])
def test_an_onnx_file_stays_inside_the_checkout(ref: str):
    assert "line 2, models.m.onnx" in refused(f'[models.m]\nonnx = "{ref}"\n')


def test_every_mistake_is_told_at_once_in_the_order_of_the_file():
    text = '[models.b]\nbatch = 1\n[models.a]\nentry = "x"\n[defaults]\nsuites = ["latncy"]\n'
    told = refused(text).split("\n")
    assert [line.split(", ")[1].split(":")[0] for line in told] == [
        "models.b.batch",
        "models.a.entry",
        "defaults.suites[0]",
    ]


def test_only_ten_mistakes_are_listed():
    told = refused("\n".join(f"k{number} = 1" for number in range(30))).split("\n")
    assert len(told) == 11
    assert told[-1] == "... and 21 more mistakes"


def test_a_hopeless_number_of_cases_is_refused_at_the_model_that_is_too_much():
    batches = ", ".join(map(str, range(1, 101)))
    text = f"[defaults]\nbatches = [{batches}]\n" + "".join(
        f'[models.m{number}]\ncatalogue = "x"\n' for number in range(7)
    )
    assert "perfsite.toml line 15, models.m6: with it the file asks for 5600 cases" in refused(text)


def test_too_many_models():
    text = "".join(f'[models.m{number}]\ncatalogue = "x"\n' for number in range(201))
    assert "models: should have at most 200 elements" in refused(text)


def test_bytes_that_are_no_text():
    assert refused(b"a = 1\nb = '\xff'") == "perfsite.toml line 2: byte 0xff is not UTF-8"
    assert refused(b"#" * (MAX_BYTES + 1)).startswith(f"perfsite.toml has {MAX_BYTES + 1} bytes")
    assert refused(b"\n" + b"#" * (MAX_LINE + 1)).startswith("perfsite.toml line 2 has 1001 characters")
    assert config_parse(b"\xef\xbb\xbf" + ONE.encode()).models == ("cnn",)


@pytest.mark.parametrize(
    "data",
    [
        b"x = " + b"[" * 900,
        b"x = " + b"[\n" * 50_000 + b"]" * 900,
        b"x = " + b"9" * 990,
        b"\n".join(b"k%d." % number + b"a." * 480 + b"b = 1" for number in range(250)),
        b"\n".join(b"[" + b"a." * 480 + b"b%d]" % number for number in range(250)),
        b"models.a.runners = [\n" + b"'x',\n" * 40_000 + b"]",
    ],
    ids=["nested", "nested-lines", "digits", "dotted", "headers", "wide"],
)
def test_a_hostile_file_is_refused_in_seconds(data: bytes):
    started = time.process_time()
    assert refused(data).startswith("perfsite.toml")
    assert time.process_time() - started < 15  # unbounded, the dotted keys alone would take hours


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
@example(b"\xef\xbb\xbf")
@example(b"[models.'\x7f']")
def test_any_bytes_give_a_config_or_a_config_error(data: bytes):
    told = ""
    try:
        config_parse(data)
    except ConfigError as error:
        told = str(error)
    assert not told or told.startswith("perfsite.toml")


_TEXTS = st.text(max_size=12) | st.sampled_from(["a.py:f", "m.onnx", "torch", "fp16", "**", "cpu", "latency"])
_VALUES = st.recursive(
    _TEXTS | st.integers(-3, 70_000) | st.floats() | st.booleans() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ["version", "branches", "paths", "ignore", "devices", "defaults", "limits", "models", "entry", "onnx",
     "runners", "batches", "suites", "precisions", "duration", "wall_clock", "memory_gib", "cnn", "options",
     "server", "qps", "latency", "provider", "evaluate", "evaluate_lower"]
)  # fmt: skip


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        escaped = (f"\\U{ord(sign):08x}" if not sign.isalnum() else sign for sign in value)
        return '"' + "".join(escaped) + '"'
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@given(
    st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=4),
    st.dictionaries(st.sampled_from(["a", "b c"]), st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=2),
)
@settings(max_examples=300, deadline=None)
def test_any_document_gives_a_config_or_words_a_database_can_keep(top: dict, models: dict):
    text = "\n".join(f"{_toml(key)} = {_toml(value)}" for key, value in {**top, "models": models}.items())
    assert tomllib.loads(text).keys() == {*top, "models"}
    groups, told = [], ""
    try:
        groups = parsed(text).groups()
    except ConfigError as error:
        told = str(error)
    assert all(group.cases for group in groups)
    assert bool(groups) != bool(told)
    assert "\x00" not in told  # PostgreSQL keeps no NUL
