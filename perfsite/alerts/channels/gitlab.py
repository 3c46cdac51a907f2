"""GitLab: commit statuses, and one note on a merge request that is edited in place.

Before it writes it looks: what stands there already is not written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from django.conf import settings
from gitlab import Gitlab
from gitlab.exceptions import GitlabError

from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Field, Outgoing
from perfsite.alerts.channels.calling import ABOUT_MESSAGE, address_judged, status_judge
from perfsite.alerts.channels.forge import (
    CONTEXT,
    LONGEST_DESCRIPTION,
    credentials_of,
    marker_line,
    statuses_tell,
)
from perfsite.alerts.message import text_cut
from perfsite.core.outbound import OutboundRefusedError, names_judged
from perfsite.runs.models import Project

API_URL = "https://gitlab.com"
# one word per state in both forges: GitHub's
STATES = {
    "pending": "pending",
    "success": "success",
    "failure": "failed",
    "error": "failed",
    "cancelled": "canceled",
}


def notify(outgoing: Outgoing) -> None:
    """An incident is the status of its accused commit."""
    statuses_tell(outgoing, status_set)


def status_set(*, project: Project, sha: str, state: str, description: str, url: str) -> None:
    """Set the commit's status of the name `perfsite`, unless it says just that already.

    Raises:
        ValueError: the state is none of `STATES`.
        DeliveryError: GitLab did not take it, or the project has no GitLab channel.
    """
    if state not in STATES:
        raise ValueError(f"unknown status {state!r}; known: {', '.join(sorted(STATES))}")
    wanted = {"description": text_cut(description, LONGEST_DESCRIPTION), "target_url": url}
    with _forge(project) as repository:
        commit = repository.commits.get(sha, lazy=True)
        known = commit.statuses.list(name=CONTEXT, get_all=False)
        newest = known[0].attributes if known else {}
        same = newest.get("status") == STATES[state]
        if not same or any(newest.get(name) != value for name, value in wanted.items()):
            commit.statuses.create({"state": STATES[state], "name": CONTEXT, **wanted})


def comment_put(
    *, project: Project, pull_request: int, body: str, marker: str, known: int | None = None
) -> int:
    """Write the one note on a merge request (its iid), or edit it; returns its id, for `known` next time.

    Where none is known, or it is gone, ours is the one with the sealed line that our own account wrote.

    Raises:
        DeliveryError: GitLab did not take it, or the project has no GitLab channel.
    """
    line = marker_line(project=project, pull_request=pull_request, marker=marker)
    text = f"{body}\n\n{line}"
    with _forge(project) as repository:
        notes = repository.mergerequests.get(pull_request, lazy=True).notes
        us = _account(repository.manager.gitlab)
        row = _note(notes, known) if known else None
        if row is None or (us is not None and _author(row) != us):  # another account's token since
            row = _one(notes, line, us)
        if row is None:
            row = notes.create({"body": text})
            # who wrote it is who we are; of several of ours, by two writers at once, the oldest stays
            row = _one(notes, line, _author(row)) or row
        if row.body != text:
            row.body = text
            row.save()
        return int(row.id)


def _account(client: Gitlab) -> object:
    """The number of whose token it is; None where GitLab does not say."""
    try:
        client.auth()
    except GitlabError as error:
        if error.response_code not in (403, 404):
            raise
        return None
    return client.user.id if client.user else None


def _note(notes: Any, number: int) -> Any:
    """The note of this id; None when it is gone."""
    try:
        return notes.get(number)
    except GitlabError as error:
        if error.response_code == 404:
            return None
        raise


def _one(notes: Any, line: str, us: object) -> Any:
    """Our oldest note with the sealed line, the others of ours deleted; None while we are not known."""
    rows = [row for row in notes.list(iterator=True) if row.body.rstrip().endswith(line)]
    ours = sorted((row for row in rows if us is not None and _author(row) == us), key=lambda row: row.id)
    for row in ours[1:]:
        row.delete()
    return ours[0] if ours else None


def _author(row: Any) -> object:
    return (row.attributes.get("author") or {}).get("id")


class _Client(Gitlab):
    """A client that does not sleep when GitLab limits the rate: our own retry does, from the database."""

    def http_request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As the library's, once."""
        return super().http_request(*args, **{"obey_rate_limit": False, **kwargs})


@contextmanager
def _forge(project: Project) -> Iterator[Any]:
    """One project on GitLab with the project's token; its failures are told as what they mean for a retry.

    The library connects by name: every name is judged as it is resolved for the connection.
    """
    row = credentials_of(project=project, kind=KIND.name)
    base = row.settings.get("api_url") or API_URL
    host = address_judged(base)
    name = row.settings.get("repository") or project.forge_name
    try:
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0  # where one leads was not judged
        client = _Client(
            base,
            private_token=row.secrets["token"],
            timeout=settings.ALERTS_TIMEOUT_SECONDS,
            session=session,
            keep_base_url=True,
        )
        with names_judged():
            yield client.projects.get(name, lazy=True)
    except OutboundRefusedError as error:
        raise DeliveryError(str(error), is_misdirected=True) from error
    except GitlabError as error:
        status = error.response_code or 500
        said = f"{host} answered HTTP {status}: {str(error.error_message)[:200]}"
        if status == 404 and _is_there(client, name):
            said = f"{said}; the commit or merge request may be gone"
            raise DeliveryError(said, permanent=True, is_gone=True) from error
        if status in ABOUT_MESSAGE:
            raise DeliveryError(said, permanent=True, is_message_only=True) from error
        status_judge(host, status, str(error.error_message)[:200])
        raise DeliveryError(f"{host}: {error}") from error
    except requests.TooManyRedirects as error:
        sentence = f"{host} redirects, which is not followed; enter the address it leads to"
        raise DeliveryError(sentence, permanent=True) from error
    except requests.RequestException as error:
        raise DeliveryError(f"{host} gave no answer: {error}", is_unknown=True) from error


def _is_there(client: Gitlab, name: str) -> bool:
    """Whether the token can read the project."""
    try:
        client.projects.get(name)
    except (GitlabError, requests.RequestException):
        return False
    return True


KIND = ChannelKind(
    name="gitlab",
    title="GitLab",
    notify=notify,
    repeatable=True,
    fields=(
        Field("token", "Token", "of scope api", is_secret=True),
        Field("api_url", "Address", f"empty: {API_URL}", is_required=False, is_url=True),
        Field("repository", "Project", "group/name; empty: of the project's address", is_required=False),
    ),
)
