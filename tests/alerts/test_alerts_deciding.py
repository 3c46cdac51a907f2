"""Whether and when somebody is told: a table of rules, clocks and answers."""

from datetime import UTC, datetime, time, timedelta

import pytest

from perfsite.alerts.deciding import SeriesFact, Terms, decide, decide_withdrawal
from perfsite.alerts.retrying import LONGEST_ASKED, retry_after, retry_wait

LATENCY = SeriesFact(1, "cnn/tensorrt/fp16/b1", "latency_p50", "h100", 0.06)
MEMORY = SeriesFact(2, "bert/torch/fp32/b8", "memory_peak", "a100", 0.20)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


NIGHT = {"quiet_from": time(22), "quiet_to": time(7), "zone": "Europe/Berlin"}  # 20:00 to 05:00 UTC in June


@pytest.mark.parametrize(
    ("terms", "more", "word", "moment"),
    [
        ({}, {}, "now", NOON),
        ({"cases": ("cnn/*",)}, {}, "now", NOON),
        ({"cases": ("*/onnxruntime/*",)}, {}, "unasked", None),
        ({"metrics": ("memory_peak",), "device_classes": ("a100",)}, {}, "now", NOON),
        # one series must be asked for by case, metric and device at once
        ({"metrics": ("memory_peak",), "device_classes": ("h100",)}, {}, "unasked", None),
        ({"minimum": 0.20}, {}, "now", NOON),
        ({"minimum": 0.21}, {}, "unasked", None),
        ({}, {"muted": {1}}, "now", NOON),
        ({}, {"muted": {1, 2}}, "muted", None),
        # what is left after muting must be large enough by itself
        ({"minimum": 0.1}, {"muted": {2}}, "muted", None),
        (NIGHT, {}, "now", NOON),
        (NIGHT, {"now": at(10, 19, 59)}, "now", at(10, 19, 59)),
        (NIGHT, {"now": at(10, 20)}, "hold", at(11, 5)),
        (NIGHT, {"now": at(10, 4, 59)}, "hold", at(10, 5)),
        (NIGHT, {"now": at(10, 5)}, "now", at(10, 5)),
        # the clocks go back on 25 October: seven o'clock is an hour later by UTC
        (NIGHT, {"now": at(24, 23, month=10)}, "hold", at(25, 6, month=10)),
        ({"quiet_from": time(9), "quiet_to": time(17)}, {}, "hold", at(10, 17)),
        ({"quiet_from": time(9), "quiet_to": time(9)}, {}, "now", NOON),
        ({"digest_at": time(8)}, {}, "digest", at(11, 8)),
        ({"digest_at": time(15)}, {}, "digest", at(10, 15)),
        ({"digest_at": time(8), **NIGHT}, {"now": at(10, 21)}, "digest", at(11, 6)),
        ({"cap": 2}, {"told": [at(10, 1)]}, "now", NOON),
        ({"cap": 2}, {"told": [at(10, 1), at(10, 3)]}, "capped", at(11, 0)),
        ({"cap": 2}, {"told": [at(9, 1), at(9, 3), at(10, 3)]}, "now", NOON),
        # what is held counts for the day on which it goes out, and the summary keeps quiet, too
        ({"cap": 1, **NIGHT}, {"now": at(10, 21), "told": [at(10, 12)]}, "hold", at(11, 5)),
        ({"cap": 1, **NIGHT}, {"now": at(10, 21), "told": [at(11, 5)]}, "capped", at(12, 5)),
        ({}, {"is_improvement": True}, "unasked", None),
        ({"improvements": True}, {"is_improvement": True}, "now", NOON),
    ],
)
def test_a_rule_decides(terms, more, word, moment):
    decision = decide([LATENCY, MEMORY], Terms(**terms), **({"now": NOON} | more))
    assert (decision.word, decision.at) == (word, moment)
    assert bool(decision.why) == (word != "now")


@pytest.mark.parametrize(
    ("tries", "share", "asked", "seconds"),
    [
        (1, 0.0, None, 15),
        (1, 1.0, None, 30),
        (4, 1.0, None, 240),
        (20, 1.0, None, 3600),
        (1, 0.0, timedelta(seconds=90), 90),
        (4, 1.0, timedelta(seconds=90), 240),
        (1, 0.0, timedelta(days=30), LONGEST_ASKED.total_seconds()),
    ],
)
def test_the_wait_doubles_with_jitter_and_is_never_shorter_than_asked(tries, share, asked, seconds):
    wait = retry_wait(tries, first=timedelta(seconds=30), share=share, asked=asked)
    assert wait.total_seconds() == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Wed, 10 Jun 2026 12:01:00 GMT", 60),
        ("Wed, 10 Jun 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    found = retry_after(header, now=NOON)
    assert (found.total_seconds() if found is not None else None) == seconds


def test_quiet_hours_end_the_same_night_where_clocks_are_set_back():
    """Berlin shows 02:30 at 00:30 and at 01:30 UTC on 2026-10-25."""
    terms = Terms(quiet_from=time(22), quiet_to=time(2, 30), zone="Europe/Berlin")
    for now, ends in ((at(25, 0, 10, 10), at(25, 0, 30, 10)), (at(25, 1, 10, 10), at(25, 1, 30, 10))):
        assert decide([LATENCY], terms, now=now).at == ends


@pytest.mark.parametrize(
    ("terms", "word", "when"),
    [
        (Terms(cap=1), "now", NOON),
        (Terms(quiet_from=time(11), quiet_to=time(13)), "hold", NOON + timedelta(hours=1)),
        (
            Terms(digest_at=time(15), quiet_from=time(11), quiet_to=time(13)),
            "digest",
            NOON + timedelta(hours=3),
        ),
    ],
)
def test_a_message_is_taken_back_by_the_way_it_came(terms, word, when):
    decision = decide_withdrawal(terms, now=NOON)
    assert (decision.word, decision.at) == (word, when)
