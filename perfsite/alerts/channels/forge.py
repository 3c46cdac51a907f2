"""What the forge channels share: whose credentials, and an incident as a commit status."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.crypto import salted_hmac

from perfsite.alerts.channels.base import DeliveryError, Outgoing
from perfsite.alerts.message import brief_of
from perfsite.alerts.models import Channel
from perfsite.runs.models import Project

CONTEXT = "perfsite"
LONGEST_DESCRIPTION = 140  # GitHub's limit, the smaller one


def credentials_of(*, project: Project, kind: str) -> Channel:
    """The project's usable channel of this forge.

    Raises:
        DeliveryError: it has none; for good, as far as this try knows.
    """
    rows = Channel.objects.filter(project=project, kind=kind, is_enabled=True, disabled_at=None)
    row = rows.order_by("id").first()
    if row is None:
        sentence = f"{project.slug} has no usable {kind} channel; add its token on the alerts page"
        raise DeliveryError(sentence, permanent=True)
    return row


def marker_line(*, project: Project, pull_request: int, marker: str) -> str:
    """The hidden line that a comment whose id is not known is found by, among those of our own account.

    It is sealed, so that nobody can have written it before us.
    """
    about = f"{project.pk} {pull_request} {marker}"
    seal = salted_hmac("perfsite.alerts.comment", about, algorithm="sha256").hexdigest()[:32]
    return f"<!-- perfsite: {marker} {seal} -->"


def statuses_tell(outgoing: Outgoing, put: Callable[..., None]) -> None:
    """Set the status of each accused commit; a commit whose code is innocent gets none.

    Raises:
        DeliveryError: one was not taken; where it is about that commit alone the others have theirs.
    """
    project = Project.objects.get(pk=outgoing.project_id)
    payload = outgoing.message.payload
    refused: DeliveryError | None = None
    for one in payload.get("incidents", [payload]):
        accused = one.get("accused")
        if accused is None or accused["is_innocent"]:
            continue
        state = "failure" if one["state"] == "regressed" else "success"
        try:
            said = brief_of(one, most=LONGEST_DESCRIPTION)
            put(project=project, sha=accused["sha"], state=state, description=said, url=one["url"])
        except DeliveryError as error:
            if not error.is_message_only:
                raise
            refused = error
    if refused is not None:
        raise refused
