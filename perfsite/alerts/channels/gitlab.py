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
from perfsite.core.outbound import OutboundRefusedError, host_addresses
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


def comment_put(*, project: Project, pull_request: int, body: str, marker: str) -> None:
    """Write the note with this marker on a merge request (its iid), or edit it: there is one, never a second.

    Raises:
        DeliveryError: GitLab did not take it, or the project has no GitLab channel.
    """
    line = marker_line(project=project, pull_request=pull_request, marker=marker)
    text = f"{body}\n\n{line}"
    with _forge(project) as repository:
        notes = repository.mergerequests.get(pull_request, lazy=True).notes
        found = _notes(notes, line)
        if not found:
            notes.create({"body": text})
            # of two writers at once each sees both: the oldest stays
            found = _notes(notes, line)
        for row in found[1:]:
            if _author(row) == _author(found[0]):  # else somebody quotes ours
                row.delete()
        if found and found[0].body != text:
            found[0].body = text
            found[0].save()


def _notes(notes: Any, line: str) -> list[Any]:
    """The notes that end with the hidden line, the oldest first."""
    rows = notes.list(iterator=True)
    return sorted((row for row in rows if row.body.rstrip().endswith(line)), key=lambda row: row.id)


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

    The address is judged before each use.  The library connects by name, so a name that answers differently
    in between is not seen.
    """
    row = credentials_of(project=project, kind=KIND.name)
    base = row.settings.get("api_url") or API_URL
    host = address_judged(base)
    name = row.settings.get("repository") or project.forge_name
    try:
        host_addresses(host, 443)
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
