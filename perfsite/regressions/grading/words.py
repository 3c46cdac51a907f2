"""The figures of grading as sentences (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from perfsite.regressions.grading.doubt import OUTCOMES, Doubt
from perfsite.regressions.grading.rates import Rate
from perfsite.runs.relevant import key_words


def share_words(rate: Rate) -> str:
    """`0.8 % [0.0, 4.6]`, a dash where nothing was counted."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "–"
    return f"{_percent(rate.value)} % [{_percent(rate.low)}, {_percent(rate.high)}]"


def per_thousand_words(rate: Rate) -> str:
    """`1.2 [0.4, 2.9]` per 1,000, a dash where nothing was counted."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "–"
    value, low, high = (_plain(1000 * part) for part in (rate.value, rate.low, rate.high))
    return f"{value} [{low}, {high}]"


def alarms_sentence(alarms: Rate, *, comparisons: int, alpha: float) -> str:
    """What the self-tests found."""
    if not alarms.total:
        return "No build was compared with itself yet; every night a few are, when a worker is there."
    return (
        f"Of {_counted(alarms.total, 'self-test')} in {_counted(comparisons, 'comparison')} of a build with "
        f"itself {alarms.count} told a change: {share_words(alarms)}. The rule allows {_percent(alpha)} %."
    )


def expected_sentence(*, asked: int, expected: float, days: int, today: float, allowed: float) -> str:
    """How many false verdicts the comparisons allow; `today` of the `allowed` ones a day."""
    spent = f"A day may allow {allowed:.2g}; today's comparisons allow {today:.2g}."
    if not asked:
        return f"Pairs were asked about no suspicion in {days} days. {spent}"
    return (
        f"Pairs were asked about {_counted(asked, 'suspicion')} in {days} days. By their error rates at most "
        f"{expected:.2g} false verdicts are to be expected of that, {expected / days:.2g} a day. {spent}"
    )


def precision_sentence(precision: Rate, *, waiting: int) -> str:
    """What triage found."""
    rest = f" {_counted(waiting, 'incident')} not judged yet." if waiting else ""
    if not precision.total:
        return f"Nobody has judged an incident yet.{rest}"
    return (
        f"Of {_counted(precision.total, 'judged incident')} {precision.count} "
        f"{'was' if precision.count == 1 else 'were'} real: {share_words(precision)}.{rest}"
    )


def refuted_sentence(refuted: Rate, *, confirmed: int, open_ended: int) -> str:
    """What the screen's suspicions came to; nobody hears of those that were refuted."""
    if not refuted.total:
        return "No point was judged yet."
    return (
        f"The screen suspected {per_thousand_words(refuted)} of 1,000 points in vain: pairs refuted "
        f"{refuted.count} suspicions, confirmed {confirmed} and left {open_ended} open."
    )


_RULE_WORDS = {"score": "score", "alpha": "alpha", "max_pairs": "most pairs"}


def rule_words(parameters: Mapping[str, Any]) -> str:
    """`score 3.2, alpha 0.01, most pairs 20, relevant latency_p50 5 %, relevant model_size of a/** 1 %`."""
    words = [f"{word} {parameters[name]:g}" for name, word in _RULE_WORDS.items() if name in parameters]
    words += [
        f"relevant {key_words(key)} {_percent(value)} %"
        for key, value in sorted(parameters.get("relevant", {}).items())
    ]
    return ", ".join(words)


def side_words(*, counts: Mapping[str, int], comparisons: int, minutes: float | None) -> str:
    """`12 suspicions (9 confirmed, 3 refuted, 0 undecided), 7 comparisons, about 34 device minutes`."""
    parts = ", ".join(f"{counts.get(word, 0)} {word}" for word in OUTCOMES)
    asked = f"{_counted(sum(counts.values()), 'suspicion')} ({parts})"
    cost = "device minutes not known yet" if minutes is None else f"about {minutes:.0f} device minutes"
    return f"{asked}, {_counted(comparisons, 'comparison')}, {cost}"


def command_words(slug: str, parameters: Mapping[str, Any]) -> str:
    """The command that tries these parameters on the whole history."""
    words = [f"python manage.py dry_run --project {slug}"]
    words += [f"--{name.replace('_', '-')} {parameters[name]:g}" for name in ("score", "alpha", "max_pairs")]
    relevant = sorted(parameters["relevant"].items())
    words += [f"--relevant {shlex.quote(f'{key}={value:g}')}" for key, value in relevant]
    return " ".join(words)


def told_words(label: str, doubt: Doubt) -> str:
    """One suspicion of a replay: `LABEL at build 12: +5.3 %, confirmed`."""
    rest = " (assumed)" if doubt.assumed else ""
    return f"{label} at build {doubt.ordinal}: {100 * doubt.relative:+.1f} %, {doubt.outcome}{rest}"


def _percent(share: float) -> str:
    value = 100.0 * share
    digits = 0 if value >= 99.95 else 1 if value >= 0.095 or not value else 2
    return f"{value:.{digits}f}"


def _plain(number: float) -> str:
    digits = 0 if number >= 9.95 or not number else 1 if number >= 0.095 else 3
    return f"{number:.{digits}f}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
