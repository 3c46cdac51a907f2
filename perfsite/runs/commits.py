"""A commit as a forge or git tells it: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

ZERO_SHA = "0" * 40
BRANCH_MOST = 200
# git-check-ref-format(1): what no branch name holds
_NO_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[/.-]|/\.|[/.]$|\.lock(?:/|$)|^@$")


def is_branch(name: str) -> bool:
    """Whether git allows a branch of this name and it fits where branches are stored."""
    return 0 < len(name) <= BRANCH_MOST and not _NO_BRANCH.search(name)


@dataclass(frozen=True)
class Commit:
    """One commit.  `parents` is empty when the teller does not know them: planning asks git."""

    sha: str
    subject: str = ""
    author_name: str = ""
    author_email: str = ""
    committed_at: datetime | None = None
    parents: tuple[str, ...] = ()
