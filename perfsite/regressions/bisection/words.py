"""What a bisection says (pure): names of commits in, English out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfsite.regressions.bisection.search import Reason
from perfsite.regressions.wording import Change, Subject, change_words

_WHY: dict[Reason, str] = {
    "partial": "{about} shows only a part of the change, so more than one commit seems to be guilty",
    "shared": "too little of the change lies between {about}, so more than one commit seems to be guilty",
    "unknown": "whether {about} has the change could not be told: the measurement is too noisy for it",
    "failed": "{about} could not be measured",
    "spent": "the comparisons that a search of this length may take are spent",
}


@dataclass(frozen=True)
class Commit:
    """A commit in a sentence: seven characters, and who wrote it, empty when unknown."""

    short: str
    author: str = ""

    @property
    def named(self) -> str:
        """`abc1234 by Ada`."""
        return f"{self.short} by {self.author}" if self.author else self.short


def found_sentence(
    *, good: Commit, bad: Commit, culprit: Commit, parent: Commit, change: Change, what: str
) -> str:
    """The culprit of `what` (`the ONNX size of cnn`); `change` is the culprit's against the good build."""
    return (
        f"Between {good.short} and {bad.short} the bisection found {culprit.named}: it shows the change of "
        f"{what} ({change_words(change)} against {good.short}), and {parent.short} before it does not."
    )


def range_sentence(
    *,
    good: Commit,
    bad: Commit,
    count: int,
    reason: Reason,
    about: Sequence[str],
    what: str,
    exact: bool = False,
) -> str:
    """No name: which commits it can be, and why the search went no further."""
    why = _WHY[reason]
    if exact and reason == "spent":
        why = "the measurements that a search may order are spent"
    return f"{range_words(good, bad, count, what)}; {why.format(about=_listed(about))}."


def stopped_sentence(*, good: Commit, bad: Commit, count: int, why: str, what: str) -> str:
    """No name, because the search was not made or not ended."""
    return f"{range_words(good, bad, count, what)}; the bisection stopped: {why}."


def single_sentence(*, bad: Commit) -> str:
    """No search, because one commit is left."""
    return (
        f"It is {bad.named}: the other commits since the last good build change no file that concerns the "
        "model, as perfsite.toml says."
    )


def range_words(good: Commit, bad: Commit, count: int, what: str) -> str:
    """Which commits can have changed `what`."""
    if count == 1:
        return f"The change of {what} came with {bad.named}"
    return f"The change of {what} came with one of the {count} commits after {good.short}, up to {bad.named}"


def what_words(subject: Subject) -> str:
    """What a search goes by: `the ONNX size of cnn`."""
    return f"the {subject.title} of {subject.model}"


def split_sentence(*, other: Commit, culprit: Commit, what: str) -> str:
    """Two commits are guilty of two things, so each has an incident."""
    return f"{culprit.named} changed {what}, and {other.named} the rest: each has an incident of its own."


def left_sentence(left: Sequence[Subject]) -> str:
    """Which regressions no found commit is accused of, because no measurement of their own says so."""
    names = list(dict.fromkeys(f"{what_words(subject)} ({subject.runner})" for subject in left))
    return f"Which commit changed {_listed(names)} is not told by measurements of its own."


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"
