"""Messages about several incidents, and about the channels themselves (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from perfsite.alerts.message.compose import MOST_ROWS, headline_of, payload_of
from perfsite.alerts.message.facts import IncidentFacts, Message
from perfsite.alerts.message.forms import html_of, text_of


def digest_compose(several: Sequence[IncidentFacts], *, project: str, url: str, why: str) -> Message:
    """One message for many incidents; `why` says why they come together, `url` lists all of them.

    Raises:
        ValueError: there is none.
    """
    if not several:
        raise ValueError(f"a digest of {project} without an incident")
    count = _count(several)
    told = tuple((f"{headline_of(facts)}.", (facts.url,)) for facts in several[:MOST_ROWS])
    left = len(several) - MOST_ROWS
    return _composed(
        subject=f"[{project}] {count}: {headline_of(several[0])}{' and more' if len(several) > 1 else ''}",
        headline=f"{count} in {project}, {why}.",
        sections=told + ((("", (f"and {left} more of them on the page",)),) if left > 0 else ()),
        links=(("All incidents", url),),
        payload={"project": project, "incidents": [payload_of(facts) for facts in several]},
        tone="improved" if all(facts.is_improvement for facts in several) else "regressed",
    )


def _count(several: Sequence[IncidentFacts]) -> str:
    better = sum(facts.is_improvement for facts in several)
    counts = ((len(several) - better, "incident"), (better, "improvement"))
    return " and ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count)


def notice_compose(*, project: str, headline: str, lines: Sequence[str], title: str, url: str) -> Message:
    """A message about a channel: that it was disabled, or that it works."""
    return _composed(
        subject=f"[{project}] {headline}",
        headline=headline,
        sections=(("", tuple(lines)),) if lines else (),
        links=((title, url),),
        payload={"project": project, "notice": headline, "url": url},
        tone="quiet",
    )


def _composed(**parts: object) -> Message:
    message = Message(**({"text": "", "html": "", "tone": "regressed"} | parts))  # type: ignore[arg-type]
    return Message(**(vars(message) | {"text": text_of(message), "html": html_of(message)}))
