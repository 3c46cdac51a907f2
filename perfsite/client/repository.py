"""The commit that results are about, as the git checkout around tells it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

_TIMEOUT_S = 30
_FORMAT = "%H%x00%P%x00%s%x00%an%x00%ae%x00%cI"


class RepositoryError(Exception):
    """Git cannot tell; the message says what to give instead."""


@dataclass(frozen=True)
class Commit:
    """A commit; `ordinal` is None in a shallow clone, which cannot count."""

    sha: str
    parents: list[str]
    subject: str
    author_name: str
    author_email: str
    committed_at: str
    ordinal: int | None


def commit_read(revision: str = "HEAD") -> Commit:
    """The commit of `revision` in the repository of the working folder.

    Raises:
        RepositoryError: there is no repository, or no such commit in it.
    """
    told = _git("log", "-1", f"--format={_FORMAT}", revision, "--")
    sha, parents, subject, name, email, when = told.split("\0")
    return Commit(sha, parents.split(), subject[:300], name[:200], email[:254], when, _ordinal(sha))


def branch_read() -> str:
    """The branch that is checked out; empty on a detached head."""
    try:
        return _git("symbolic-ref", "--quiet", "--short", "HEAD")
    except RepositoryError:
        return ""


def _ordinal(sha: str) -> int | None:
    if _git("rev-parse", "--is-shallow-repository") == "true":
        return None
    return int(_git("rev-list", "--count", "--first-parent", sha))


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RepositoryError(
            f"git cannot be run here ({error}); give --sha, --branch and --ordinal"
        ) from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip().splitlines()
        raise RepositoryError(
            f"git {arguments[0]}: {words[0] if words else 'failed'}; run this in the checkout that was "
            "measured, or give --sha, --branch and --ordinal"
        ) from None
    return answer.stdout.strip("\n")
