"""What an incident's message says (pure): facts in; subject, text and HTML out."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from perfsite.regressions.wording import Change, Subject, change_sentence, change_words, values_words

# a message is for reading: the page has the rest
MOST_ROWS = 12

_CELL = 'style="padding:4px 12px 4px 0;text-align:left;vertical-align:top"'
_BAD = "#D55E00"


@dataclass(frozen=True)
class Message:
    """What any channel sends; a channel that knows no HTML takes the text."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class RegressionFacts:
    """One regressed metric.

    `pairs` is 0 for a metric that is counted; `e_value` is the evidence against "no change";
    `command` measures it again, empty when the order is not known any more; `certainty` says how sure it
    is where neither pairs nor a count do.
    """

    subject: Subject
    change: Change
    pairs: int = 0
    e_value: float | None = None
    command: str = ""
    certainty: str = ""


@dataclass(frozen=True)
class IncidentFacts:
    """One incident; `regressions` are the worst first and at least one; `url` is where to triage.

    `sha` is the accused commit, or the newest of the `suspects` that it can be; `search` is what the
    search for the guilty one said, empty where there was none.  `headline` is the first sentence where
    the worst change alone would not tell it; `is_innocent` says that the commit's code did nothing, and
    `withdrawn` why the incident was taken back, empty while it stands.
    """

    project: str
    sha: str
    commit_subject: str
    author: str
    last_good: str
    url: str
    regressions: tuple[RegressionFacts, ...]
    suspects: int = 1
    search: str = ""
    headline: str = ""
    is_innocent: bool = False
    withdrawn: str = ""


def message_compose(facts: IncidentFacts) -> Message:
    """The message of an incident.

    Raises:
        ValueError: the incident has no regression: there is nothing to tell.
    """
    if not facts.regressions:
        raise ValueError(f"the incident of {facts.sha[:7]} in {facts.project} has no regression to tell of")
    return Message(_subject(facts), _text(facts), _html(facts))


def certainty_words(row: RegressionFacts) -> str:
    """How sure it is and how that was found out."""
    if row.certainty:
        return row.certainty
    if not row.pairs:
        return "counted, not timed: certain"
    words = f"confirmed by {row.pairs} interleaved pairs on one device"
    if row.e_value is None or row.e_value <= 1:
        return words
    return f"{words}; without a change such evidence turns up at most once in {row.e_value:,.0f} comparisons"


def _first(facts: IncidentFacts) -> str:
    """The first sentence, without its full stop."""
    worst = facts.regressions[0]
    told = facts.headline.rstrip(".") or change_sentence(worst.subject, worst.change)
    return f"Withdrawn: {told}" if facts.withdrawn else told


def _subject(facts: IncidentFacts) -> str:
    more = len(facts.regressions) - 1
    rest = f", and {more} more" if more else ""
    return f"[{facts.project}] {_first(facts)}{rest}"


def _since(facts: IncidentFacts) -> str:
    if facts.is_innocent:
        seen = f"First seen at {facts.sha[:7]}, whose code did not do it: {facts.commit_subject}"
        return f"{seen}\nLast without it: {facts.last_good[:7]}"
    author = f" by {facts.author}" if facts.author else ""
    commit = f"{facts.sha[:7]}{author}: {facts.commit_subject}"
    since = (
        f"Since {commit}"
        if facts.suspects == 1
        else f"One of {facts.suspects} commits, the newest is {commit}"
    )
    told = f"{since}\nLast good: {facts.last_good[:7]}"
    return f"{told}\n{facts.search}" if facts.search else told


def _row_words(row: RegressionFacts) -> tuple[str, str, str]:
    """Where and what; before and after with the interval; how sure."""
    subject = row.subject
    return (
        f"{subject.model}: {subject.title} {subject.where}",
        f"{values_words(subject.metric, row.change)}, {change_words(row.change)}",
        certainty_words(row),
    )


def _rest_words(facts: IncidentFacts) -> str:
    left = len(facts.regressions) - MOST_ROWS
    return f"and {left} more on the page" if left > 0 else ""


def _withdrawn_words(facts: IncidentFacts) -> str:
    return f"Later data refute it: {facts.withdrawn}" if facts.withdrawn else ""


def _text(facts: IncidentFacts) -> str:
    worst = facts.regressions[0]
    parts = [f"{_first(facts)}.", _withdrawn_words(facts), _since(facts)]
    for row in facts.regressions[:MOST_ROWS]:
        where, change, certainty = _row_words(row)
        parts.append(f"{where}\n    {change}\n    {certainty}")
    parts.append(_rest_words(facts))
    if worst.command:
        parts.append(f"Reproduce the first, in a clone of the repository:\n    {worst.command}")
    parts.append(f"Triage: {facts.url}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(facts: IncidentFacts) -> str:
    worst = facts.regressions[0]
    rows = "".join(_html_row(row) for row in facts.regressions[:MOST_ROWS])
    rest = _rest_words(facts)
    command = (
        f"<p>Reproduce the first, in a clone of the repository:</p><pre>{escape(worst.command)}</pre>"
        if worst.command
        else ""
    )
    since = "<br>".join(escape(line) for line in _since(facts).splitlines())
    return (
        '<div style="font-family:system-ui,sans-serif;font-size:14px">'
        f'<p style="font-size:18px;color:{_BAD}">▲ '
        f"{escape(_first(facts))}</p><p>{escape(_withdrawn_words(facts))}</p>"
        f"<p>{since}</p>"
        '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f"<tr><th {_CELL}>what</th><th {_CELL}>change</th><th {_CELL}>how sure</th></tr>{rows}</table>"
        f"<p>{escape(rest)}</p>{command}"
        f'<p><a href="{escape(facts.url)}">Look at the evidence and triage</a></p></div>'
    )


def _html_row(row: RegressionFacts) -> str:
    cells = "".join(f"<td {_CELL}>{escape(words)}</td>" for words in _row_words(row))
    return f"<tr>{cells}</tr>"
