"""The site's API as the command line calls it: every no is one sentence with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

_TIMEOUT_S = 30.0


class SiteError(Exception):
    """The site said no, or nothing; the message is for people."""


class AwayError(SiteError):
    """The site did not answer, or says that it cannot now: later the same call may do."""


class SiteClient:
    """Calls the API of `site` with `token`, which may be empty where projects are public."""

    def __init__(self, site: str, token: str) -> None:
        self._site = site.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=f"{self._site}/api/v1", headers=headers, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET; parameters that are None or empty are left out.

        Raises:
            SiteError: the site refuses.
            AwayError: it does not answer, or not now.
        """
        wanted = {name: value for name, value in query.items() if value not in (None, "")}
        return self._send("GET", path, params=wanted)

    def post(self, path: str, body: Any) -> Any:
        """The answer to a POST.

        Raises:
            SiteError, AwayError: as `get`.
        """
        return self._send("POST", path, json=body)

    def every(self, path: str, **query: Any) -> Iterator[Any]:
        """The items of all pages, the newest first.

        Raises:
            SiteError, AwayError: as `get`.
        """
        before = None
        while True:
            page = self.get(path, before=before, **query)
            yield from page["items"]
            before = page["next"]
            if before is None:
                return

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise AwayError(
                f"{self._site} does not answer ({type(error).__name__}: {error}); is the address right, "
                "and does the site run? --site or PERFSITE_SITE names it"
            ) from None
        if not answer.is_success:
            raise _no(answer, self._site)
        try:
            return answer.json()
        except ValueError:
            raise SiteError(f"{self._site} is no Perfsite: {path} did not answer JSON") from None


def _no(answer: httpx.Response, site: str) -> SiteError:
    """The sentence for an answer that is no success: the site's own, where it has one."""
    kind = AwayError if answer.status_code == 429 or answer.status_code >= 500 else SiteError
    try:
        told = answer.json()["error"]
        sentence = " ".join(part for part in (f"{told['message']}.", told["hint"]) if part)
    except (ValueError, KeyError, TypeError):
        if answer.is_redirect:
            return kind(f"{site} points to {answer.headers.get('location')}; give that address as --site")
        sentence = f"{answer.status_code} {answer.reason_phrase}; is this the address of a Perfsite?"
    return kind(f"{site} refuses: {sentence}")
