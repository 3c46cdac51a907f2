"""The API of a project's channels: list, add, change, test, switch, remove.  Secrets are never read back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from perfsite.access.auth import MACHINES_AND_PEOPLE, MANAGERS, actor_of
from perfsite.access.readers import row_owned
from perfsite.alerts.api_schemas import (
    ChannelEditIn,
    ChannelIn,
    ChannelKindOut,
    ChannelMadeOut,
    ChannelOut,
    ChannelSwitchIn,
    NotificationOut,
)
from perfsite.alerts.channels import CHANNELS, ChannelKind
from perfsite.alerts.configuring import channel_remove, channel_save, channel_switch, channel_test
from perfsite.alerts.models import Channel, Notification
from perfsite.alerts.services import notification_send
from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.runs.models import Project

router = Router(auth=MANAGERS, tags=["alerts"])


def _project(request: HttpRequest, slug: str) -> Project:
    found: Project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return found


def _channel(request: HttpRequest, slug: str, channel_id: int) -> Channel:
    found = Channel.objects.filter(project=_project(request, slug), pk=channel_id).first()
    if found is None:
        raise NotFoundError(f"{slug} has no channel {channel_id}; /channels lists those that are")
    return found


def _store(project: Project, kind: str, body: ChannelEditIn, channel: Channel | None = None) -> Channel:
    """The stored row with the secret that was made, if any."""
    known = [field.name for field in CHANNELS[kind].fields] if kind in CHANNELS else []
    if kind in CHANNELS and (strange := sorted(set(body.fields) - set(known))):
        raise PerfsiteError(
            f"a channel of kind {kind} has no field {strange[0][:60]!r}; it has {', '.join(known) or 'none'}"
        )
    values = dict(body.fields)
    if channel is not None:  # what is left out stays, as an empty secret does
        values = {name: str(value) for name, value in channel.settings.items()} | values
    made = channel_save(project=project, kind=kind, name=body.name, values=values, channel=channel)
    row = Channel.objects.get(project=project, name=body.name.strip())
    row.secret = made  # type: ignore[attr-defined]  # for this answer alone
    return row


@router.get("/channel-kinds", response=list[ChannelKindOut], auth=MACHINES_AND_PEOPLE)
def channel_kinds(request: HttpRequest) -> list[ChannelKind]:
    """Every kind of channel with the fields it has to be told."""
    return list(CHANNELS.values())


@router.get("/projects/{slug:slug}/channels", response=Page[ChannelOut])
def channels(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The project's channels."""
    return page_of(Channel.objects.filter(project=_project(request, slug)), cursor)


@router.post("/projects/{slug:slug}/channels", response={201: ChannelMadeOut})
def channel_add(request: HttpRequest, slug: str, body: ChannelIn) -> Status:
    """Add a channel; a secret that is made for it is in this answer and in no other."""
    return Status(201, _store(_project(request, slug), body.kind, body))


@router.put("/projects/{slug:slug}/channels/{channel_id}", response=ChannelMadeOut)
def channel_put(request: HttpRequest, slug: str, channel_id: RowId, body: ChannelEditIn) -> Channel:
    """Change a channel; fields that are left out stay, and one that was disabled is used again."""
    found = _channel(request, slug, channel_id)
    return _store(found.project, found.kind, body, found)


@router.patch("/projects/{slug:slug}/channels/{channel_id}", response=ChannelOut)
def channel_use(request: HttpRequest, slug: str, channel_id: RowId, body: ChannelSwitchIn) -> Channel:
    """Use a channel, or not; using it again forgives what it was disabled for."""
    found = _channel(request, slug, channel_id)
    channel_switch(channel=found, is_enabled=body.is_enabled)
    found.refresh_from_db()
    return found


@router.delete("/projects/{slug:slug}/channels/{channel_id}", response={204: None})
def channel_delete(request: HttpRequest, slug: str, channel_id: RowId) -> Status:
    """Remove a channel with its secrets, where no rule tells by it and nothing waits for it."""
    channel_remove(channel=_channel(request, slug, channel_id))
    return Status(204, None)


@router.post("/projects/{slug:slug}/channels/{channel_id}/test", response=NotificationOut)
def channel_trial(request: HttpRequest, slug: str, channel_id: RowId) -> Notification:
    """Send a test now; `state` and `error` tell how it went.  A mail goes to the caller, or the owner."""
    found = _channel(request, slug, channel_id)
    if found.kind not in CHANNELS:
        raise ConflictError(f"{found.name} is of the kind {found.kind}, which this release does not know")
    address = getattr(request.user, "email", "")
    sent = channel_test(channel=found, actor=actor_of(request), recipient=address)
    if sent.state == "queued":
        notification_send(notification=sent)
    return Notification.objects.select_related("channel").get(pk=sent.pk)
