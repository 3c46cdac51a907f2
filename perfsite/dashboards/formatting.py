"""Numbers, times and states as people read them.  Pure: no database, no clock, no settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.metrics import format_bytes
from perfsite.results.metrics import metric_row

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NO-BREAK SPACE}"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def value_text(value: float | None, metric: str) -> str:
    """A metric's value with its unit, for example `12.3 ms`; a dash when there is none.

    A metric this release does not know is shown as a bare number: old rows stay readable.
    """
    if value is None:
        return "–"
    row = metric_row(metric)
    return f"{value:.3g}" if row is None else row.format(value)


def metric_title(metric: str) -> str:
    """The metric's name for people, for example `Latency p50`."""
    row = metric_row(metric)
    return metric.replace("_", " ") if row is None else row.title


def metric_direction(metric: str) -> str:
    """`lower is better`, `higher is better` or nothing for a metric that is never judged."""
    row = metric_row(metric)
    return f"{row.better} is better" if row is not None and row.better else ""


def percent_text(relative: float | None) -> str:
    """A relative change in per cent with its sign: 0.069 -> `+6.9 %`; a dash when there is none."""
    if relative is None:
        return "–"
    return f"{_signed(relative * 100)}{THIN}%"


def change_text(relative: float | None, low: float | None, high: float | None) -> str:
    """A relative change with its interval: `+6.9 % [6.1, 7.8]`; the interval only when it is known."""
    text = percent_text(relative)
    if relative is None or low is None or high is None:
        return text
    return f"{text} [{_bare(low * 100)}, {_bare(high * 100)}]"


def _bare(percent: float) -> str:
    """Per cent with a fitting number of digits and a true minus sign."""
    if percent == 0:
        return "0"
    digits = 0 if abs(percent) >= 100 else 1 if abs(percent) >= 0.95 else 2
    text = f"{abs(percent):.{digits}f}"
    return f"{MINUS}{text}" if percent < 0 and float(text) else text


def _signed(percent: float) -> str:
    text = _bare(percent)
    if text.startswith(MINUS):
        return text
    return f"+{text}" if float(text) else text


def money_text(amount: float | None) -> str:
    """An amount in the operator's currency with its sign: 0.2113 -> `+0.211`; a dash when there is none."""
    if amount is None:
        return "–"
    text = f"{abs(amount):.3g}"
    return text if float(text) == 0 else f"{'+' if amount > 0 else MINUS}{text}"


def ago_text(moment: datetime | None, *, now: datetime) -> str:
    """How long ago a moment was: `just now`, `12 min ago`, `3 h ago`, `5 days ago`, then the date."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return f"in {duration_text(-seconds)}"
    if seconds < 10:
        return "just now"
    if seconds < 30 * _DAY:
        return f"{duration_text(seconds, parts=1)} ago"
    return moment.strftime("%Y-%m-%d")


def duration_text(seconds: float | timedelta | None, *, parts: int = 2) -> str:
    """A span with its two largest units: `850 ms`, `42 s`, `3 min 20 s`, `2 h 5 min`, `4 days`."""
    if seconds is None:
        return "–"
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 1:
        return f"{total * 1000:.0f} ms"
    if total < 10 and parts > 1:
        return f"{total:.1f} s"
    whole = int(total)
    days, rest = divmod(whole, _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    named = [
        (days, "day" if days == 1 else "days"),
        (hours, "h"),
        (minutes, "min"),
        (left, "s"),
    ]
    first = next((index for index, (count, _) in enumerate(named) if count), len(named) - 1)
    kept = [f"{count} {unit}" for count, unit in named[first : first + parts] if count]
    return " ".join(kept) or "0 s"


def bytes_text(size: int | float | None) -> str:
    """Bytes in powers of 1,024: `12.3 MiB`."""
    return "–" if size is None else format_bytes(size)


@dataclass(frozen=True)
class Badge:
    """A state for people: the `word`, a `shape` beside it so that colour is never alone, a `tone`.

    `tone` is a CSS class: regressed, improved, unsure, quiet, live or failed.
    """

    word: str
    shape: str
    tone: str


_BADGES: dict[str, Badge] = {
    "regressed": Badge("regressed", "▲", "regressed"),
    "improved": Badge("improved", "◆", "improved"),
    "same": Badge("same", "=", "quiet"),
    "unknown": Badge("unknown", "?", "unsure"),
    "suspected": Badge("suspected", "◔", "unsure"),
    "unstable": Badge("unstable", "◌", "unsure"),
    "received": Badge("received", "○", "quiet"),
    "planned": Badge("planned", "○", "quiet"),
    "skipped": Badge("skipped", "–", "quiet"),
    "queued": Badge("queued", "○", "quiet"),
    "running": Badge("running", "◐", "live"),
    "done": Badge("done", "✓", "quiet"),
    "failed": Badge("failed", "✕", "failed"),
    "cancelled": Badge("cancelled", "⊘", "quiet"),
    "reported": Badge("reported", "✓", "quiet"),
    "lost": Badge("lost", "✕", "failed"),
    "given_back": Badge("given back", "↩", "quiet"),
    "sent": Badge("sent", "✓", "quiet"),
    "now": Badge("told at once", "✓", "quiet"),
    "hold": Badge("after quiet hours", "◔", "quiet"),
    "capped": Badge("in the summary", "◔", "quiet"),
    "muted": Badge("muted", "⊘", "quiet"),
    "unasked": Badge("not asked for", "–", "quiet"),
    "uncertain": Badge("uncertain", "?", "unsure"),
    "sending": Badge("sending", "◐", "live"),
    "untriaged": Badge("untriaged", "●", "regressed"),
    "investigating": Badge("investigating", "◐", "live"),
    "confirmed": Badge("confirmed", "▲", "regressed"),
    "accepted": Badge("accepted", "=", "quiet"),
    "fixed": Badge("fixed", "✓", "improved"),
    "invalid": Badge("invalid", "⊘", "quiet"),
    "withdrawn": Badge("withdrawn", "⊘", "quiet"),
    "waiting": Badge("waits for approval", "◔", "unsure"),
    "superseded": Badge("superseded", "⊘", "quiet"),
    "pending": Badge("comparing", "◐", "live"),
    "success": Badge("no regression", "✓", "quiet"),
    "failure": Badge("regressed", "▲", "regressed"),
    "error": Badge("not compared", "✕", "failed"),
    "open": Badge("under way", "◐", "live"),
    "ended": Badge("ended", "✓", "quiet"),
    "paused": Badge("paused", "⊘", "quiet"),
    "service": Badge("service level", "▲", "regressed"),
    "met": Badge("met", "✓", "quiet"),
    "breached": Badge("breached", "▲", "regressed"),
    "leak": Badge("leaks", "▲", "regressed"),
    "steady": Badge("steady", "=", "quiet"),
    "settling": Badge("settles", "◔", "quiet"),
    "stepped": Badge("grew in steps", "◔", "quiet"),
    "short": Badge("too few readings", "?", "unsure"),
    "environment": Badge("environment", "◇", "quiet"),
}


def badge_for(state: str) -> Badge:
    """The badge of a state or verdict; a word this release does not know is shown as it is."""
    return _BADGES.get(state) or Badge(state.replace("_", " "), "○", "quiet")


def short_sha(sha: str) -> str:
    """A commit as people see it: seven characters."""
    return sha[:7]


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 build`, `3 builds`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
