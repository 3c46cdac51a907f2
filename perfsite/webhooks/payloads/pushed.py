"""What GitHub's and GitLab's pushes have in common: commits, and the head that must be among them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from perfsite.runs.commits import Commit
from perfsite.webhooks.payloads.events import MAX_COMMITS, Deletion, Ignored, Push, no_branch
from perfsite.webhooks.payloads.fields import Address, Message, Name, Sha, Shape, When, branch_of, is_zero


class Author(Shape):
    """Who wrote a commit."""

    name: Name = ""
    email: Address = ""


class PushedCommit(Shape):
    """A commit of a push."""

    id: Sha
    message: Message = ""
    timestamp: When = None
    author: Author | None = None

    def commit(self) -> Commit:
        """The payload names no parents: planning asks git."""
        author = self.author or Author()
        return Commit(
            sha=self.id,
            subject=self.message,
            author_name=author.name,
            author_email=author.email,
            committed_at=self.timestamp,
        )


def push_action(
    ref: str,
    after: str,
    listed: Iterable[PushedCommit],
    *,
    head: PushedCommit | None = None,
    is_deleted: bool = False,
) -> Push | Deletion | Ignored:
    """What was pushed, the newest commits at most.

    The head is added where it is not `listed`: forges list a part of a long push, and of a new branch or a
    force-push perhaps none.  `head` is what the forge says of it, and
    `is_deleted` whether it says that the branch is gone; a head of zeros says so too.
    """
    branch = branch_of(ref)
    if branch is None:
        return no_branch(ref)
    if is_deleted or is_zero(after):
        return Deletion(branch)
    commits = list({item.id: item.commit() for item in listed}.values())[-MAX_COMMITS:]
    if after not in {commit.sha for commit in commits}:
        commits.append(head.commit() if head and head.id == after else Commit(sha=after))
    return Push(branch, tuple(commits), after)
