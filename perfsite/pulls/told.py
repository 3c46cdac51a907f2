"""A pull request as a forge tells of it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class PullTold:
    """What a delivery says of a pull request; `updated_at` is the forge's time, None where it says none.

    `author` is the name of who opened it, `author_id` the forge's number of them: a name can be given up
    and taken by somebody else, so trust is kept under the number.  `from_fork` says whether its code
    lies in another repository, which anybody may write to.
    """

    number: int
    sha: str
    base_branch: str
    author: str
    author_id: str
    from_fork: bool
    title: str = ""
    url: str = ""
    updated_at: datetime | None = None
