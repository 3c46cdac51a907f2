"""The facts of an incident, and the message made of them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perfsite.regressions.wording import Change, Subject


@dataclass(frozen=True)
class Message:
    """What any channel sends; each takes the form that its readers see best.

    `headline` is one sentence; `sections` are headings (which may be empty) with their lines; `links` are
    titles and addresses, the first is where to go; `payload` is what machines read; `image` is a PNG of the
    `verdict`'s series, `image_url` its address for channels that show it by one.
    """

    subject: str
    text: str
    html: str
    headline: str = ""
    tone: str = "regressed"  # regressed, improved, quiet
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
    command: str = ""
    command_title: str = "Reproduce it"
    links: tuple[tuple[str, str], ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    image: bytes = b""
    image_url: str = ""
    verdict: int | None = None


@dataclass(frozen=True)
class RegressionFacts:
    """One metric that moved.

    `pairs` is 0 for a metric that is counted; `e_value` is the evidence against "no change";
    `command` measures it again, empty when the order is not known any more; `certainty` says how sure it
    is where neither pairs nor a count do.  `alpha` is how often at most the interval misses the change, from
    0 to 1.
    """

    subject: Subject
    change: Change
    pairs: int = 0
    e_value: float | None = None
    command: str = ""
    certainty: str = ""
    alpha: float | None = None


@dataclass(frozen=True)
class IncidentFacts:
    """One incident; `regressions` are the worst first, none for a mere breach; `url` is where to triage.

    `sha` is the accused commit, or the newest of the `suspects` that it can be; `search` is what the
    search for the guilty one said, empty where there was none.  `headline` is the first sentence where
    the worst change alone would not tell it; `is_innocent` says that the commit's code did nothing, and
    `withdrawn` why the incident was taken back, empty while it stands; `again` why it stands again, for
    readers who heard of it before, and `opening` how often it stood.  `inside` tells what changed within
    (causes, layers), as far as it is known, and `layer` has the cells of the one that moved most (names,
    before, after, change, share, differs), empty where none is known; `breaches` are service levels that are
    not kept, each with its sentences; `mute_url` opens a page that asks before it mutes.
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
    is_improvement: bool = False
    inside: tuple[str, ...] = ()
    layer: Mapping[str, str] = field(default_factory=dict)
    mute_url: str = ""
    incident: int | None = None
    opening: int = 1
    again: str = ""
    breaches: tuple[tuple[str, tuple[str, ...]], ...] = ()
