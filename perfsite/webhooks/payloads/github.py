"""GitHub's payloads: `push`, `pull_request`, `ping`; other events are acknowledged and start nothing.  Pure.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qs

from pydantic import Field

from perfsite.pulls.told import PullTold
from perfsite.webhooks.payloads.events import Ignored, Payload, PayloadError, Ping, PullUpdate
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
)
from perfsite.webhooks.payloads.pushed import PushedCommit, push_action

EVENT_HEADER = "X-GitHub-Event"
_EVENT = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_OPENED = ("opened", "synchronize", "reopened")
_CLOSED = "closed"
_FORM = "application/x-www-form-urlencoded"


class _Repository(Shape):
    full_name: Annotated[Link, Field(min_length=1)]
    clone_url: Link = ""
    ssh_url: Link = ""
    html_url: Link = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.full_name, self.clone_url, self.ssh_url, self.html_url)))


class _Push(Shape):
    ref: str
    after: Sha
    deleted: bool = False
    commits: tuple[PushedCommit, ...] | None = None
    head_commit: PushedCommit | None = None
    repository: _Repository


class _User(Shape):
    login: Name = ""
    id: int | None = None


class _End(Shape):
    ref: str
    sha: Sha
    repo: _Repository | None = None


class _PullFacts(Shape):
    head: _End
    base: _End
    title: Message = ""
    html_url: Link = ""
    user: _User = _User()
    updated_at: When = None


class _Pull(Shape):
    action: str
    number: Annotated[int, Field(ge=1, le=2**31 - 1)]
    pull_request: _PullFacts
    repository: _Repository


def github_parse(headers: Mapping[str, str], body: bytes) -> Payload:
    """Read one delivery of GitHub, sent as JSON or as a form; `headers` ignore case.

    Raises:
        PayloadError: it cannot be understood.
    """
    event = headers.get(EVENT_HEADER, "")
    if not _EVENT.fullmatch(event):
        raise PayloadError(f"the header {EVENT_HEADER} is missing or not an event's name")
    value = json_read(_json_of(headers, body))
    if event == "ping":
        return Payload(event, Ping())
    if event == "pull_request":
        pull = shape_read(_Pull, value)
        return Payload(event, _pull_action(pull), pull.repository.names)
    if event != "push":
        return Payload(event, Ignored(f"event {event!r} starts no build"))
    push = shape_read(_Push, value)
    action = push_action(
        push.ref, push.after, push.commits or (), head=push.head_commit, is_deleted=push.deleted
    )
    return Payload(event, action, push.repository.names)


def _pull_action(pull: _Pull) -> PullUpdate | Ignored:
    """What became of the pull request; a head whose repository is gone counts as a fork's."""
    if pull.action not in (*_OPENED, _CLOSED):
        return Ignored(f"action {pull.action[:60]!r} of a pull request changes no code")
    facts = pull.pull_request
    head, base = facts.head.repo, facts.base.repo or pull.repository
    told = PullTold(
        number=pull.number,
        sha=facts.head.sha,
        base_branch=branch_of(f"refs/heads/{facts.base.ref}") or "",
        author=facts.user.login,
        author_id="" if facts.user.id is None else str(facts.user.id),
        from_fork=head is None or head.full_name.casefold() != base.full_name.casefold(),
        title=facts.title,
        url=facts.html_url,
        updated_at=facts.updated_at,
    )
    return PullUpdate(told, is_open=pull.action != _CLOSED)


def _json_of(headers: Mapping[str, str], body: bytes) -> bytes:
    """The JSON itself: GitHub's default content type is a form with one field, `payload`."""
    if headers.get("Content-Type", "").split(";")[0].strip().lower() != _FORM:
        return body
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError as error:
        raise PayloadError(f"the form cannot be read: {error}") from None
    if "payload" not in fields:
        raise PayloadError("the form has no field `payload`")
    return fields["payload"][0].encode()
