"""GitLab's payloads: push and merge request hooks; every other event is acknowledged.  Pure.

https://docs.gitlab.com/user/project/integrations/webhook_events/

A merge request is a pull request here: one word for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from perfsite.pulls.told import PullTold
from perfsite.webhooks.payloads.events import Ignored, Payload, PayloadError, PullUpdate
from perfsite.webhooks.payloads.fields import (
    Link,
    Message,
    Name,
    Sha,
    Shape,
    When,
    branch_of,
    json_read,
    shape_read,
    text_mend,
)
from perfsite.webhooks.payloads.pushed import PushedCommit, push_action

_OPENED = ("open", "reopen")
_CLOSED = ("close", "merge")


class _User(Shape):
    username: Name = ""
    id: int | None = None


class _Project(Shape):
    path_with_namespace: Annotated[Link, Field(min_length=1)]
    git_http_url: Link = ""
    git_ssh_url: Link = ""
    web_url: Link = ""

    @property
    def names(self) -> tuple[str, ...]:
        urls = (self.path_with_namespace, self.git_http_url, self.git_ssh_url, self.web_url)
        return tuple(filter(None, urls))


class _Push(Shape):
    ref: str
    after: Sha
    commits: tuple[PushedCommit, ...] | None = None
    project: _Project


class _Merge(Shape):
    iid: Annotated[int, Field(ge=1, le=2**31 - 1)]
    action: str = ""
    oldrev: str = ""
    source_project_id: int | None
    target_project_id: int
    target_branch: str
    last_commit: PushedCommit
    title: Message = ""
    url: Link = ""
    updated_at: When = None
    author_id: int | None = None


class _MergeHook(Shape):
    object_attributes: _Merge
    user: _User = _User()
    project: _Project


def gitlab_parse(headers: Mapping[str, str], body: bytes) -> Payload:
    """Read one delivery of GitLab; its body says what it is.

    Raises:
        PayloadError: it cannot be understood.
    """
    del headers
    value = json_read(body)
    kind = value.get("object_kind")
    if not isinstance(kind, str) or not kind:
        raise PayloadError("object_kind: should name the event")
    event = text_mend(kind)[:60]
    if kind == "push":
        push = shape_read(_Push, value)
        action = push_action(push.ref, push.after, push.commits or ())
        return Payload(event, action, push.project.names)
    if kind == "merge_request":
        hook = shape_read(_MergeHook, value)
        return Payload(event, _merge_action(hook), hook.project.names)
    return Payload(event, Ignored(f"event {event!r} starts no build"))


def _merge_action(hook: _MergeHook) -> PullUpdate | Ignored:
    """What became of the merge request; an update without `oldrev` changes a title or a label, no code."""
    merge = hook.object_attributes
    pushed = merge.action == "update" and bool(merge.oldrev)
    if not pushed and merge.action not in (*_OPENED, *_CLOSED):
        return Ignored(f"action {text_mend(merge.action)[:60]!r} of a merge request changes no code")
    told = PullTold(
        number=merge.iid,
        sha=merge.last_commit.id,
        base_branch=branch_of(f"refs/heads/{merge.target_branch}") or "",
        # the payload names only who acted now, which need not be who opened it
        author=hook.user.username if merge.author_id == hook.user.id else f"user {merge.author_id}",
        author_id="" if merge.author_id is None else str(merge.author_id),
        from_fork=merge.source_project_id != merge.target_project_id,
        title=merge.title,
        url=merge.url,
        updated_at=merge.updated_at,
    )
    return PullUpdate(told, is_open=merge.action not in _CLOSED)
