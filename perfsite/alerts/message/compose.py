"""The message of one incident, or of one build's improvements (pure)."""

from __future__ import annotations

from typing import Any

from perfsite.alerts.message.facts import IncidentFacts, Message, RegressionFacts
from perfsite.alerts.message.forms import html_of, text_of
from perfsite.regressions.wording import change_sentence, change_words, values_words

# a message is for reading: the page has the rest
MOST_ROWS = 12


def message_compose(facts: IncidentFacts) -> Message:
    """The message of an incident, its chart aside.

    Raises:
        ValueError: the incident has neither regression nor breach: there is nothing to tell.
    """
    if not facts.regressions and not (facts.breaches and facts.headline):
        raise ValueError(f"the incident of {facts.sha[:7]} in {facts.project} has nothing to tell of")
    more = max(len(facts.regressions), len(facts.breaches)) - 1
    headline = headline_of(facts)
    message = Message(
        subject=f"[{facts.project}] {headline}{f', and {more} more' if more else ''}",
        text="",
        html="",
        headline=f"{headline}.",
        tone="quiet" if facts.withdrawn else "improved" if facts.is_improvement else "regressed",
        sections=tuple(_sections(facts)),
        command=command_of(facts),
        command_title="Reproduce the first" if len(facts.regressions) > 1 else "Reproduce it",
        links=tuple(_links(facts)),
        payload=payload_of(facts),
    )
    return Message(**(vars(message) | {"text": text_of(message), "html": html_of(message)}))


def certainty_words(row: RegressionFacts) -> str:
    """How sure it is and how that was found out."""
    if row.certainty:
        return row.certainty
    if not row.pairs:
        return "counted, not timed: certain"
    words = f"confirmed by {row.pairs} interleaved pair{'s' if row.pairs > 1 else ''} on one device"
    if row.e_value is None or row.e_value <= 1:
        return words
    return f"{words}; without a change, seen at most once in {row.e_value:,.0f} comparisons"


def headline_of(facts: IncidentFacts) -> str:
    """The first sentence, without its full stop."""
    told = facts.headline.rstrip(".")
    if not told:
        worst = facts.regressions[0]
        told = change_sentence(worst.subject, worst.change)
    if facts.withdrawn:
        return f"Withdrawn: {told}"
    return f"Stands again: {told}" if facts.again else told


def _sections(facts: IncidentFacts) -> list[tuple[str, tuple[str, ...]]]:
    withdrawn = (f"Later data refute it: {facts.withdrawn}",) if facts.withdrawn else ()
    left = len(facts.regressions) - MOST_ROWS
    found = [("", withdrawn or _again(facts)), ("", _since(facts))]
    found += [_row_section(row) for row in facts.regressions[:MOST_ROWS]]
    found += facts.breaches[:MOST_ROWS]
    more = f"and {left} more metric{'s' if left > 1 else ''} on the page"
    found.append(("", (more,) if left > 0 else ()))
    found.append(("What changed inside", facts.inside))
    return [(heading, lines) for heading, lines in found if lines]


def _again(facts: IncidentFacts) -> tuple[str, ...]:
    if not facts.again:
        return ()
    return ("The level had been met again." if facts.breaches else "It had been withdrawn.", facts.again)


def command_of(facts: IncidentFacts) -> str:
    """What measures the worst one again; empty where nothing does."""
    return facts.regressions[0].command if facts.regressions else ""


def _since(facts: IncidentFacts) -> tuple[str, ...]:
    if facts.breaches:
        return (f"Seen at {facts.sha[:7]}: {facts.commit_subject}",)
    if facts.is_innocent:
        seen = f"First seen at {facts.sha[:7]}, whose code did not do it: {facts.commit_subject}"
        return seen, f"Last without it: {facts.last_good[:7]}"
    author = f" by {facts.author}" if facts.author else ""
    commit = f"{facts.sha[:7]}{author}: {facts.commit_subject}"
    since = (
        f"Since {commit}"
        if facts.suspects == 1
        else f"One of {facts.suspects} commits, the newest is {commit}"
    )
    last = f"{'Compared with' if facts.is_improvement else 'Last good:'} {facts.last_good[:7]}"
    return (since, last, facts.search) if facts.search else (since, last)


def _row_section(row: RegressionFacts) -> tuple[str, tuple[str, ...]]:
    """Where and what; before and after with the interval; how sure."""
    subject = row.subject
    return (
        f"{subject.model}: {subject.title} {subject.where}",
        (f"{values_words(subject.metric, row.change)}, {_moved(row)}", certainty_words(row)),
    )


def _moved(row: RegressionFacts) -> str:
    """The change, and what its brackets are where there are any and their level is known."""
    words = change_words(row.change)
    known = words.endswith("]") and row.alpha is not None
    return f"{words} ({100 * (1 - row.alpha):.4g} % interval)" if known else words  # type: ignore[operator]


def _links(facts: IncidentFacts) -> list[tuple[str, str]]:
    first = "Look at it" if facts.is_improvement or facts.withdrawn else "Look at the evidence and triage"
    links = [(first, facts.url)]
    if facts.mute_url and not facts.withdrawn:
        links.append(("Mute its series", facts.mute_url))
    return links


def payload_of(facts: IncidentFacts) -> dict[str, Any]:
    """The same facts for machines; values in the metric's unit, changes relative (0.05 is 5 %)."""
    return {
        "project": facts.project,
        "incident": facts.incident,
        "opening": facts.opening,
        "headline": f"{headline_of(facts)}.",
        "state": "withdrawn" if facts.withdrawn else "improved" if facts.is_improvement else "regressed",
        "url": facts.url,
        "accused": {
            "sha": facts.sha,
            "subject": facts.commit_subject,
            "author": facts.author,
            "suspects": facts.suspects,
            "is_innocent": facts.is_innocent,
        },
        "last_good": facts.last_good,
        "inside": list(facts.inside),
        "layer": dict(facts.layer) or None,
        "reproduce": command_of(facts),
        "breaches": [sentence for _, lines in facts.breaches for sentence in lines],
        "changes": [_change_payload(row) for row in facts.regressions],
    }


def _change_payload(row: RegressionFacts) -> dict[str, Any]:
    subject, change = row.subject, row.change
    return {
        "model": subject.model,
        "runner": subject.runner,
        "precision": subject.precision,
        "shape": subject.shape,
        "device_class": subject.device_class,
        "metric": subject.metric,
        "before": change.before,
        "after": change.after,
        "relative": change.relative,
        "low": change.low,
        "high": change.high,
        "certainty": certainty_words(row),
    }
