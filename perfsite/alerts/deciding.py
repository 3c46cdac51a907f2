"""Whether and when somebody is told (pure): the facts, a rule and the clock in; one decision out.

unasked   the rule does not ask for it          hold     tell when the quiet hours are over
muted     every series it asks for is muted     capped   the day's messages are spent: into the summary
digest    with the others, at its time          now      tell at once
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

# of several rules that lead to one person by one channel, the one that tells most wins
STRENGTH = ("unasked", "muted", "capped", "digest", "hold", "now")


@dataclass(frozen=True)
class SeriesFact:
    """One series that moved: `case` is model/runner/precision/shape, `relative` the change (0.05 is 5 %)."""

    series_id: int
    case: str
    metric: str
    device_class: str
    relative: float


@dataclass(frozen=True)
class Terms:
    """A rule's terms; empty collections ask for everything, times are local to `zone`."""

    cases: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    device_classes: tuple[str, ...] = ()
    minimum: float = 0.0
    improvements: bool = False
    quiet_from: time | None = None
    quiet_to: time | None = None
    zone: str = "UTC"
    digest_at: time | None = None
    cap: int | None = None


@dataclass(frozen=True)
class Decision:
    """`at` is when it is to be told, None when it is not; `why` is for people."""

    word: str
    at: datetime | None
    why: str = ""


def decide(
    facts: Sequence[SeriesFact],
    terms: Terms,
    *,
    now: datetime,
    muted: Collection[int] = (),
    told: Collection[datetime] = (),
    is_improvement: bool = False,
) -> Decision:
    """Whether and when to tell of these series.

    `muted` are the series nobody is to hear of now; `told` the moments at which messages of this rule went
    out or are due.  `now` is aware.
    """
    if is_improvement and not terms.improvements:
        return Decision("unasked", None, "it got better, which the rule does not ask for")
    asked = [fact for fact in facts if _is_asked(fact, terms)]
    if not asked:
        return Decision("unasked", None, "no case, metric and device class of it is asked for")
    largest = max(abs(fact.relative) for fact in asked)
    if largest < terms.minimum:
        return Decision("unasked", None, f"{largest:.1%} is less than the rule's {terms.minimum:.1%}")
    heard = [f for f in asked if f.series_id not in muted and abs(f.relative) >= terms.minimum]
    if not heard:
        return Decision("muted", None, "its series are muted")
    zone = ZoneInfo(terms.zone)
    if terms.digest_at is not None:
        at = _next(terms.digest_at, now, zone)
        return Decision("digest", at, "with the others of the day")
    at = quiet_end(terms, now) or now
    if terms.cap is not None and _count(told, at, zone) >= terms.cap:
        return Decision("capped", _day_end(terms, at, zone), f"{terms.cap} messages that day are the most")
    return Decision("now", at) if at == now else Decision("hold", at, "quiet hours")


def decide_withdrawal(terms: Terms, *, now: datetime) -> Decision:
    """When a message is taken back: by the way it came, whatever the day's cap says."""
    zone, why = ZoneInfo(terms.zone), "later data refute it"
    if terms.digest_at is not None:
        return Decision("digest", _next(terms.digest_at, now, zone), why)
    at = quiet_end(terms, now)
    return Decision("now", now, why) if at is None else Decision("hold", at, f"{why}; quiet hours")


def quiet_end(terms: Terms, now: datetime) -> datetime | None:
    """When the quiet hours that hold now are over; None outside of them."""
    start, end = terms.quiet_from, terms.quiet_to
    if start is None or end is None or start == end:
        return None
    zone = ZoneInfo(terms.zone)
    local = now.astimezone(zone).time()
    is_quiet = start <= local < end if start < end else local >= start or local < end
    # where clocks are set back they show `end` twice; after the first, the second ends the quiet hours
    return min(_next(end, now, zone), _next(end.replace(fold=1), now, zone)) if is_quiet else None


def _is_asked(fact: SeriesFact, terms: Terms) -> bool:
    return (
        (not terms.cases or any(fnmatchcase(fact.case, pattern) for pattern in terms.cases))
        and (not terms.metrics or fact.metric in terms.metrics)
        and (not terms.device_classes or fact.device_class in terms.device_classes)
    )


def _next(wall: time, now: datetime, zone: ZoneInfo) -> datetime:
    """The next moment after `now` at which clocks in `zone` show `wall`."""
    day = now.astimezone(zone).date()
    moments = (_at(day + timedelta(days=ahead), wall, zone) for ahead in range(3))
    return next(moment for moment in moments if moment > now)


def _at(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall, tzinfo=zone).astimezone(ZoneInfo("UTC"))


def _count(told: Collection[datetime], at: datetime, zone: ZoneInfo) -> int:
    day = at.astimezone(zone).date()
    return sum(moment.astimezone(zone).date() == day for moment in told)


def _day_end(terms: Terms, at: datetime, zone: ZoneInfo) -> datetime:
    """When the summary of a day goes out: at its end, or when the quiet hours after it are over."""
    midnight = _next(time(0), at, zone)
    return quiet_end(terms, midnight) or midnight
