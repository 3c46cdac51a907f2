"""What counts as right in the demo: each planted change is told, nobody innocent is accused."""

from datetime import UTC, datetime

import pytest

from perfsite.demo.outcome import Row, is_right, moves_told
from perfsite.demo.repository import Made
from perfsite.demo.story import Step


def _row(verdict: str) -> Row:
    return Row("0123456789", "Subject", "cnn Latency", "1 ms", "2 ms", "+100%", verdict, None)


def _made(expect) -> Made:
    step = Step(subject="Subject", author="a", expect=expect)
    return Made(step=step, sha="0123456789", parent="", when=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("expect", "told", "right"),
    [
        ("regressed", "regressed", True),
        ("regressed", "quiet", False),
        ("regressed", "in a range", False),
        ("regressed", "environment", False),
        ("environment", "environment", True),
        ("environment", "quiet", False),
        ("quiet", "quiet", True),
        ("quiet", "environment", True),
        ("quiet", "regressed", False),
        ("quiet", "in a range", False),
        ("improved", "regressed", False),
        ("skipped", "skipped", True),
    ],
)
def test_the_outcome_is_right_when_what_was_planted_is_told_and_nobody_else_accused(expect, told, right):
    assert is_right([_row(told)], [_made(expect)]) is right


def test_a_machine_that_moved_by_itself_is_said_and_a_planted_one_is_not():
    assert moves_told([_row("environment")], [_made("environment")]) == []
    (said,) = moves_told([_row("environment")], [_made("quiet")])
    assert "0123456" in said
    assert "this machine itself changed (cnn Latency +100%)" in said
