"""`manage.py replay` as a process, in a home that has no data folder."""

import json
import re
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from perfsite.regressions.replay import Options, replay
from tests.regressions.detection_loom import series_generate
from tests.regressions.replaying import ROOT, line, replay_home, step, told


@pytest.fixture
def command(tmp_path):
    with replay_home(tmp_path) as start:
        yield start


def test_changes_come_a_line_per_series_with_their_direction(command):
    text = (
        line("a", step()) + line("b", step(), lower_is_better=False) + line("c", step(size=0)) + line("d", [])
    )
    rows, err, status = told(command(), text)
    assert (status, err) == (0, "")
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    (up,), (rate,), nothing, empty = (row["changes"] for row in rows)
    assert (up["index"], up["direction"], rate["direction"], nothing, empty) == (
        60,
        "regressed",
        "improved",
        [],
        [],
    )
    assert set(up) == {"index", "direction", "before", "after", "relative"}
    assert (up["before"], up["after"]) == (pytest.approx(5.0, rel=0.01), pytest.approx(5.5, rel=0.01))
    assert up["relative"] == pytest.approx(up["after"] / up["before"] - 1)


def test_a_series_is_answered_before_the_next_is_sent(command):
    process = command("--online")
    for name in ("first", "second"):
        process.stdin.write(line(name, step()))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["name"] == name
    assert told(process, "")[2] == 0


def test_what_is_told_online_for_a_prefix_is_what_the_whole_tells(command):
    values = [series_generate(seed).values.tolist() for seed in range(1, 10)]
    lengths = [(one, length) for one in values for length in (40, 90, len(one) // 2, len(one) - 1, len(one))]
    text = "".join(line(str(index), one[:length]) for index, (one, length) in enumerate(lengths))
    rows, _, status = told(command("--online"), text)
    assert status == 0
    wholes = [rows[5 * index + 4]["changes"] for index in range(9)]
    assert sum(len(whole) for whole in wholes) >= 5
    for row, (_, length), index in zip(rows, lengths, range(45), strict=True):
        assert row["changes"] == [one for one in wholes[index // 5] if one["detected_at"] < length]


def test_gaps_keep_their_indices_and_repeats_count_by_their_median(command):
    values = step()
    gaps = [
        None if index in (5, 60) else [value, None, value * 0.99, value * 9]
        for index, value in enumerate(values)
    ]
    rows, err, status = told(
        command("--online"), line("a", gaps) + line("b", [*gaps[:62], [], [None], *gaps[62:]])
    )
    assert (status, err) == (0, "")
    (change,), (later,) = (row["changes"] for row in rows)
    assert (change["index"], later["index"]) == (61, 61)
    assert later["detected_at"] == change["detected_at"] + 2
    assert change["before"] == pytest.approx(5.0, rel=0.01)


BAD_LINES = {
    "nonsense": "not JSON",
    "[" * 100_000: "not JSON",
    '{"name": "x", "values": [1, NaN]}': "values[1] is not finite",
    '{"name": "x", "values": [1' + "0" * 400 + "]}": "values[0] is not finite",
    '{"name": "x", "values": [1, 1e300]}': "values[1] is 1e+300; a value is 0 or of a size",
    '{"name": "x", "values": [1, true]}': "values[1] is true, not a number",
    '{"name": "x", "values": [[1, "2"]]}': 'values[0][1] is "2", not a number',
    '{"name": "x", "values": 3}': '"values" is 3, not a list',
    '{"name": "x"}': '"values" is missing',
    '{"values": [1]}': '"name" is missing',
    '{"name": 7, "values": [1]}': '"name" is 7, not a string',
    '{"name": "x", "values": [1], "lower_is_better": "no"}': "not true or false",
    '{"name": "x", "values": [1], "labels": [1]}': "not the index of one of the 1 builds",
    "[1]": "not an object",
}


def test_bad_lines_are_named_and_the_others_go_on(command):
    good = line("a", step())
    rows, err, status = told(command(), "".join(f"{bad}\n\n{good}" for bad in BAD_LINES))
    assert [len(row["changes"]) for row in rows] == [1] * len(BAD_LINES)
    sentences = err.splitlines()[:-1]
    for number, sentence, why in zip(range(1, 999, 3), sentences, BAD_LINES.values(), strict=False):
        assert sentence.startswith(f"line {number}: ")
        assert why in sentence
    assert (len(sentences), status) == (len(BAD_LINES), 1)


@pytest.mark.parametrize(
    ("values", "relative"),
    [([0] * 40 + [3] * 20, 1.0), ([0] * 40 + [-3] * 20, -1.0), ([3] * 40 + [0] * 20, -1.0)],
)
def test_a_change_from_zero_is_one_whole(command, values, relative):
    for options in ([], ["--online"]):
        rows, err, status = told(command(*options), line("a", values))
        assert (status, err) == (0, "")
        assert [(one["index"], one["relative"]) for one in rows[0]["changes"]] == [(40, relative)]


def test_extreme_values_break_nothing(command):
    rng = np.random.default_rng(1)
    huge = [1e60, 1e-60, 0.0, -1e60, 1.0, -1e-60]
    text = "".join(line(str(n), rng.choice(huge, size=60).tolist()) for n in range(20))
    for options in ([], ["--online"]):
        rows, err, status = told(command(*options), text)
        assert (status, err, len(rows)) == (0, "", 20)


def test_options_bound_what_is_told_and_nonsense_is_refused(command):
    assert told(command("--relevant", "0.2"), line("a", step()))[0][0]["changes"] == []
    assert told(command("--online", "--grain", "1"), line("a", step()))[0][0]["changes"] == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--confirm"], "add --online"),
        (["--relevant", "nan"], "zero or more"),
        (["--online", "--alpha", "0.01"], "--alpha is about pairs of runs; add --online --confirm"),
        (["--rule", "service"], "--rule is about pairs of runs"),
        (["--online", "--confirm", "--alpha", "0"], "--alpha is 0; it is a share between 0 and 1"),
        (["--online", "--confirm", "--alpha", "nan"], "--alpha is nan"),
        (["--online", "--confirm", "--pairs", "1"], "--pairs is 1; a comparison needs at least 2"),
    ],
)
def test_options_that_make_no_rule_are_refused(options, why):
    with pytest.raises(CommandError, match=re.escape(why)):
        call_command("replay", *options)


def test_the_score_counts_what_it_says(command):
    text = (
        line("hit", step(), labels=[59])
        + line("missed", step(size=0), labels=[50])
        + line("none", step(), labels=[])
    )
    rows, _, status = told(command("--online", "--score"), text)
    assert status == 0
    score = rows[-1]["score"]
    assert (score["points"], score["labels"], score["told"]) == (300, 2, 2)
    assert (score["precision"], score["recall"], score["f1"]) == (0.5, 0.5, 0.5)
    # quiet: 100 builds, and twice those without the 21 around a label
    assert score["false_per_1000"] == pytest.approx(1000 / (100 + 79 + 79))
    delay = rows[0]["changes"][0]["detected_at"] - 59
    assert score["delay_median"] == score["delay_p90"] == delay
    rows, err, status = told(command("--score"), line("a", step()) + line("b", step(), labels=[60]))
    assert (status, rows[-1]["score"]["labels"]) == (1, 1)
    assert 'line 1: "labels" is missing' in err
    assert "delay_median" not in rows[-1]["score"]


def test_a_reader_that_leaves_ends_the_command_quietly(command):
    process = command()
    process.stdout.close()
    with suppress(BrokenPipeError):  # it may be gone before it was told all
        process.stdin.write(line("a", step(seed=2)) * 50)
        process.stdin.close()
    err = process.stderr.read()
    assert (process.wait(timeout=60), "Traceback" in err) == (1, False)


def test_no_standard_input_at_all_is_said(command):
    start = [sys.executable, "-c", "import os, sys; os.close(0); os.execv(sys.argv[1], sys.argv[1:])"]
    replay = [sys.executable, str(ROOT / "manage.py"), "replay"]
    process = subprocess.run([*start, *replay], capture_output=True, text=True, check=False)
    assert (process.returncode, "Traceback" in process.stderr) == (1, False)
    assert "no standard input" in process.stderr


def test_a_line_that_is_not_utf_8_is_named_and_the_others_go_on():
    good, latin = line("a", step()).encode(), b'{"name": "caf\xe9", "values": [1]}\n'
    written, told_of = [], []
    with_mark = "\ufeff".encode() + good  # as some editors begin a file
    assert not replay(iter([with_mark, latin, good]), written.append, told_of.append, Options())
    assert [len(row["changes"]) for row in written] == [1, 1]
    assert told_of == ["line 2: it is not UTF-8 (byte 0xe9 at place 13); save it as UTF-8"]


def test_the_pure_part_imports_no_site():
    code = (
        "import sys, perfsite.regressions.replay; assert not {'django', 'celery', 'torch'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
