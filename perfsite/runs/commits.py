"""A commit as a forge or git tells it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ZERO_SHA = "0" * 40


@dataclass(frozen=True)
class Commit:
    """One commit.  `parents` is empty when the teller does not know them: planning asks git."""

    sha: str
    subject: str = ""
    author_name: str = ""
    author_email: str = ""
    committed_at: datetime | None = None
    parents: tuple[str, ...] = ()
