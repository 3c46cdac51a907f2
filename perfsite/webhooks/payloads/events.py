"""What a payload asks for, whichever forge sent it: pure."""

from __future__ import annotations

from dataclasses import dataclass

from perfsite.pulls.told import PullTold
from perfsite.runs.commits import Commit
from perfsite.runs.file_told import FileTold

# GitHub lists at most this many commits of one push; no other sender gets more out of one delivery
MAX_COMMITS = 2048


class PayloadError(ValueError):
    """The payload cannot be understood; the message says where and why."""


@dataclass(frozen=True)
class Push:
    """Commits on a branch, the oldest first.  `head` is the sha of one of them."""

    branch: str
    commits: tuple[Commit, ...]
    head: str


@dataclass(frozen=True)
class Deletion:
    """The branch is gone."""

    branch: str


@dataclass(frozen=True)
class FileDelivered:
    """An ONNX file or an engine, to be measured as the newest build of a branch of files."""

    branch: str
    told: FileTold


@dataclass(frozen=True)
class PullUpdate:
    """A pull request was opened, got a new head, was reopened (`is_open`), or was merged or closed."""

    told: PullTold
    is_open: bool


@dataclass(frozen=True)
class Ping:
    """The forge asks whether somebody is here."""


@dataclass(frozen=True)
class Ignored:
    """Understood, and none of our business; `reason` is a sentence for people."""

    reason: str


@dataclass(frozen=True)
class Payload:
    """A parsed delivery.  `repository` holds the names and URLs the payload gives its repository."""

    event: str
    action: Push | Deletion | FileDelivered | PullUpdate | Ping | Ignored
    repository: tuple[str, ...] = ()


def no_branch(ref: str) -> Ignored:
    """The answer to a tag and every other ref that is no branch."""
    return Ignored(f"{ref[:200]!r} is no branch; only commits on branches are measured")
