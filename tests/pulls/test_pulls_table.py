"""What the comment says, and when the check fails."""

import pytest

from perfsite.pulls.table import Outcome, comment_markdown, row_make


def row(
    metric="latency_p50", verdict="regressed", relative=0.07, decides=True, case="cnn/torch/fp32/b1/latency"
):
    told = {
        "metric": metric,
        "a": [0.010, 0.011, 0.010],
        "b": [0.0107, 0.0107, 0.0117],
        "verdict": verdict,
        "relative": relative,
        "relative_low": relative - 0.01,
        "relative_high": relative + 0.01,
    }
    return row_make(told, device_class="cpu", label=case, decides=decides)


@pytest.mark.parametrize(
    ("rows", "limit", "check"),
    [
        ([row()], 0.05, "failure"),
        ([row()], 0.08, "success"),
        ([row(decides=False)], 0.0, "success"),  # measured besides: nobody asked pairs until it was decided
        ([row("parameter_count", decides=False)], 0.0, "failure"),  # counted: one pair settles it
        ([row(verdict="unknown")], 0.0, "success"),
        ([row(verdict="improved", relative=-0.2)], 0.0, "success"),
        ([row("throughput", relative=-0.2)], 0.1, "failure"),  # less is worse
    ],
)
def test_check_fails_only_on_a_confirmed_regression_over_the_limit(rows, limit, check):
    assert Outcome(rows=tuple(rows), ended=1, limit=limit).check == check


def test_check_waits_while_pairs_run_but_a_found_regression_is_told_at_once():
    assert Outcome(open=1, ended=1, rows=(row(verdict="same", relative=0.0),)).check == "pending"
    assert Outcome(open=1, ended=1, rows=(row(),)).check == "failure"
    assert Outcome(state="waiting").check == "pending"
    assert Outcome(state="failed", reason="no perfsite.toml").check == "error"


def test_check_says_an_error_when_not_one_comparison_had_a_result():
    lost = Outcome(state="planned", ended=1, missing=("cnn/fp32 on cpu: it broke",))
    assert lost.check == "error"
    assert lost.sentence == "Nothing could be compared: cnn/fp32 on cpu: it broke"
    one = Outcome(state="planned", ended=2, missing=("it broke",), rows=(row(verdict="same", relative=0.0),))
    assert one.check == "success"
    assert "1 could not be compared" in one.sentence


def test_comment_has_the_worst_first_with_intervals_in_brackets():
    rows = (
        row(verdict="same", relative=0.001, case="a"),
        row(verdict="improved", relative=-0.3, case="b"),
        row(relative=0.07, case="c"),
        row(relative=0.2, case="d"),
    )
    text = comment_markdown(
        Outcome(rows=rows, ended=1, limit=0.05), sha="a" * 40, base="b" * 40, url="https://p/1"
    )
    assert text.startswith("**Perfsite: ")
    lines = [line for line in text.splitlines() if line.startswith("| ") and "`cpu`" in line]
    assert [line.split("`")[1] for line in lines] == ["d", "c", "b", "a"]
    assert (
        "| ▲ regressed | Latency p50 | `d` | `cpu` | 10.0 ms | 10.7 ms | +20.0 % [19.0, 21.0] | 3 |" in lines
    )
    assert "\N{MINUS SIGN}30.0 % [\N{MINUS SIGN}31.0, \N{MINUS SIGN}29.0]" in lines[2]
    assert "(https://p/1)" in text


def test_what_strangers_write_is_plain_text():
    nasty = "cnn broke: @acme/everyone <img src=x> [here](http://evil.example) | `x`\n# title"
    outcome = Outcome(ended=1, missing=(nasty,), rows=(row(case="a`b|c"),))
    text = comment_markdown(outcome, sha="a" * 40, base="", url="https://p/1")
    missing = next(line for line in text.splitlines() if "broke" in line)
    assert "@acme" not in missing
    assert "<img" not in missing
    assert "http://" not in missing
    assert "[here](" not in missing
    assert "`a'b/c`" in text


def test_description_of_the_check_is_short():
    outcome = Outcome(rows=(row(case="x" * 300),), ended=1)
    assert len(outcome.sentence) == 140
    assert len(Outcome(state="failed", reason="y" * 900).sentence) == 140


def test_a_long_case_leaves_room_for_how_many_more_there_are():
    outcome = Outcome(rows=(row(case="x" * 300), row(case="y" * 300)), ended=1)
    assert len(outcome.sentence) == 140
    assert outcome.sentence.endswith("x…, and 1 more")
    rows = tuple(row(case=str(number)) for number in range(41))
    text = comment_markdown(Outcome(rows=rows, ended=1), sha="a" * 40, base="", url="https://p/1")
    assert "and 1 more row on the page" in text
