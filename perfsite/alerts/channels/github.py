"""GitHub: commit statuses, and one comment for a pull request that is edited in place.

Before it writes it looks: what stands there already is not written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from githubkit import GitHub, Response
from githubkit.exception import RateLimitExceeded, RequestError, RequestFailed, RequestTimeout

from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Field, Outgoing
from perfsite.alerts.channels.calling import ABOUT_MESSAGE, address_judged, schemes_allowed, status_judge
from perfsite.alerts.channels.forge import (
    CONTEXT,
    LONGEST_DESCRIPTION,
    credentials_of,
    marker_line,
    statuses_tell,
)
from perfsite.alerts.message import text_cut
from perfsite.core.outbound import OutboundRefusedError, OutboundTransport
from perfsite.runs.models import Project

API_URL = "https://api.github.com"
# GitHub knows no cancelled status, and silence is no success
STATES = {name: name for name in ("pending", "success", "failure", "error")} | {"cancelled": "error"}
_PAGE = 100
_MOST_PAGES = 30
_UNSAID = (403, 404)  # what an app hears that asks who it is
_NO_COMMIT = "No commit found"  # with a 422
_SECONDARY_WAIT = timedelta(minutes=1)  # what GitHub asks for where it names no time


def notify(outgoing: Outgoing) -> None:
    """An incident is the status of its accused commit."""
    statuses_tell(outgoing, status_set)


def status_set(*, project: Project, sha: str, state: str, description: str, url: str) -> None:
    """Set the commit's status in the context `perfsite`, unless it says just that already.

    Raises:
        ValueError: the state is none of `STATES`.
        DeliveryError: GitHub did not take it, or the project has no GitHub channel.
    """
    if state not in STATES:
        raise ValueError(f"unknown status {state!r}; known: {', '.join(sorted(STATES))}")
    forge = _Forge(project)
    wanted = {
        "state": STATES[state],
        "description": text_cut(description, LONGEST_DESCRIPTION),
        "target_url": url,
    }
    known = forge.ask("GET", f"commits/{sha}/statuses", params={"per_page": _PAGE})
    newest: dict[str, Any] = next((row for row in known if row["context"] == CONTEXT), {})
    if any(newest.get(name) != value for name, value in wanted.items()):
        forge.ask("POST", f"statuses/{sha}", json={**wanted, "context": CONTEXT})


def comment_put(
    *, project: Project, pull_request: int, body: str, marker: str, known: int | None = None
) -> int:
    """Write the one comment of a pull request, or edit it; returns its id, to be given as `known` next time.

    Where none is known, or it is gone, ours is the one with the sealed line that our own account wrote.

    Raises:
        DeliveryError: GitHub did not take it, or the project has no GitHub channel.
    """
    forge, line = _Forge(project), marker_line(project=project, pull_request=pull_request, marker=marker)
    text, us = f"{body}\n\n{line}", forge.account()
    row = forge.comment(known, pull_request) if known else None
    if row is None or (us is not None and _author(row) != us):  # another account's token since
        row = _one(forge, _comments(forge, pull_request, line), us)
    if row is None:
        row = forge.ask("POST", f"issues/{pull_request}/comments", json={"body": text})
        # who wrote it is who we are; of several of ours, by two writers at once, the oldest stays
        row = _one(forge, _comments(forge, pull_request, line), _author(row)) or row
    if row["body"] != text:
        forge.ask("PATCH", f"issues/comments/{row['id']}", json={"body": text})
    return int(row["id"])


def _one(forge: _Forge, rows: list[dict[str, Any]], us: object) -> dict[str, Any] | None:
    """Our oldest comment, the others of ours deleted; None while it is not known who we are."""
    ours = [row for row in rows if us is not None and _author(row) == us]
    for row in ours[1:]:
        forge.ask("DELETE", f"issues/comments/{row['id']}")
    return ours[0] if ours else None


def _comments(forge: _Forge, pull_request: int, line: str) -> list[dict[str, Any]]:
    """The comments that end with the sealed line, the oldest first."""
    found: list[dict[str, Any]] = []
    for number in range(1, _MOST_PAGES + 1):
        params = {"per_page": _PAGE, "page": number}
        rows = forge.ask("GET", f"issues/{pull_request}/comments", params=params)
        found += [row for row in rows if (row["body"] or "").rstrip().endswith(line)]
        if len(rows) < _PAGE:
            break
    return sorted(found, key=lambda row: row["id"])


def _author(row: dict[str, Any]) -> object:
    return (row.get("user") or {}).get("id")


class _Forge:
    """One repository on GitHub, with the project's token."""

    def __init__(self, project: Project) -> None:
        row = credentials_of(project=project, kind=KIND.name)
        base = row.settings.get("api_url") or API_URL
        self._host = address_judged(base)
        self._repository = row.settings.get("repository") or project.forge_name
        self._github = GitHub(
            row.secrets["token"],
            base_url=base.rstrip("/") + "/",
            follow_redirects=False,
            timeout=settings.ALERTS_TIMEOUT_SECONDS,
            trust_env=False,
            transport=OutboundTransport(schemes=schemes_allowed()),
            http_cache=False,
            auto_retry=False,
        )

    def account(self) -> object:
        """The number of whose token it is; None where GitHub does not say: it tells no app.

        Raises:
            DeliveryError: GitHub did not answer that.
        """
        with self._told("GET"):
            try:
                answer: Response[Any] = self._github.request("GET", "/user")
            except RequestFailed as error:
                if error.response.status_code not in _UNSAID or "rate limit" in error.response.text:
                    raise
                return None
        status_judge(self._host, answer.status_code, "")
        return answer.json().get("id")

    def comment(self, number: int, pull_request: int) -> dict[str, Any] | None:
        """The comment of this id, where it is still there and of this pull request.

        Raises:
            DeliveryError: GitHub did not answer that.
        """
        try:
            row: dict[str, Any] = self.ask("GET", f"issues/comments/{number}")
        except DeliveryError as error:
            if error.is_gone:
                return None
            raise
        return row if str(row.get("issue_url", "")).endswith(f"/{pull_request}") else None

    def ask(self, method: str, path: str, **parts: Any) -> Any:
        """One call; what GitHub answered, parsed.

        Raises:
            DeliveryError: it failed.
        """
        with self._told(method):
            response: Response[Any] = self._github.request(
                method, f"/repos/{self._repository}/{path}", **parts
            )
        status_judge(self._host, response.status_code, "")  # githubkit passes redirects on
        return response.json() if response.content else None

    @contextmanager
    def _told(self, method: str) -> Iterator[None]:
        """One call; its failure is told as what it means for a retry."""
        try:
            yield
        except RateLimitExceeded as error:
            raise DeliveryError(f"{self._host} limits the rate", retry_after=error.retry_after) from error
        except RequestFailed as error:
            answer = error.response
            self._refused(method, answer.status_code, answer.text[:200])
            status_judge(self._host, answer.status_code, answer.text[:200], answer.headers.get("Retry-After"))
            raise DeliveryError(f"{self._host}: {error}") from error
        except (RequestTimeout, RequestError) as error:
            if isinstance(error.exc, OutboundRefusedError):
                raise DeliveryError(str(error.exc), is_misdirected=True) from error
            raise DeliveryError(f"{self._host} gave no answer: {error}", is_unknown=True) from error

    def _refused(self, method: str, status: int, text: str) -> None:
        """Nothing where the answer is about the channel: its token, its repository, the forge itself.

        Raises:
            DeliveryError: it is about this commit or pull request alone, or it limits the rate without
                saying so in a header.
        """
        said = " ".join(text.split()) or "nothing"
        if status == 403 and "rate limit" in text:
            raise DeliveryError(f"{self._host} limits the rate: {said}", retry_after=_SECONDARY_WAIT)
        # a token that may not write hears 404 to what it could read before
        is_gone = status == 404 and method != "POST" and self._is_there()
        is_gone = is_gone or (status == 422 and _NO_COMMIT in text)
        sentence = f"{self._host} answered HTTP {status}: {said}"
        if is_gone:
            sentence = f"{sentence}; the commit or pull request may be gone"
        if is_gone or status in ABOUT_MESSAGE:
            raise DeliveryError(sentence, permanent=True, is_message_only=True, is_gone=is_gone)

    def _is_there(self) -> bool:
        """Whether the token can read the repository."""
        try:
            answer: Response[Any] = self._github.request("GET", f"/repos/{self._repository}")
        except (RequestFailed, RequestTimeout, RequestError):
            return False
        return answer.status_code == 200


KIND = ChannelKind(
    name="github",
    title="GitHub",
    notify=notify,
    repeatable=True,
    fields=(
        Field("token", "Token", "may write commit statuses and comments", is_secret=True),
        Field("api_url", "API address", f"empty: {API_URL}", is_required=False, is_url=True),
        Field("repository", "Repository", "owner/name; empty: of the project's address", is_required=False),
    ),
)
