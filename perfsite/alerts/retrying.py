"""How long to wait before the next try (pure): exponential, with jitter, and never sooner than asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(hours=1)
# whoever asks for more is asked again in a day
LONGEST_ASKED = timedelta(days=1)


def retry_wait(tries: int, *, first: timedelta, share: float, asked: timedelta | None = None) -> timedelta:
    """The wait after `tries` failed ones, at least one.

    `share` is a random number from 0 to 1: half of the wait is fixed, half is jitter, so that many senders
    refused at once do not come back at once.  `asked` is what the other side's Retry-After said.
    """
    longest = min(first * 2 ** min(tries - 1, 20), max(LONGEST, first))
    wait = longest / 2 + longest / 2 * share
    return max(wait, min(asked, LONGEST_ASKED)) if asked else wait


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (RFC 9110, 10.2.3): seconds or a date; None when it says neither."""
    text = (value or "").strip()
    if text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))
