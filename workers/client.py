"""The site's API as the worker calls it: one method per endpoint, one exception per kind of no."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from benchmarks.report import ArtifactRef
from workers.messages import ClaimRequest, Failure, Hello, Order, Pair, Progress, ProgressAnswer, Welcome
from workers.text import json_clean

log = structlog.get_logger(__name__)

Model = TypeVar("Model", bound=BaseModel)

STORE_S = 300.0
"""How long the site may take to store a report or a file before it answers."""
LEAVE_S = 2.0
"""How long such an answer is still waited for once the worker is going away."""


class SiteError(Exception):
    """The base of every no from the site; its message is a sentence for people."""


class Unreachable(SiteError):  # noqa: N818 - the state of the network, not a fault
    """No answer, or one that says "not now" (5xx, 429): the same call may work later."""


class Offline(Unreachable):
    """The site as a whole is away, or the worker is going: no other call would do better now."""


class Broken(Unreachable):
    """The site is there and failed over this very call (500): it may do so again."""


class Refused(SiteError):  # noqa: N818 - an answer, not a fault
    """The site does not want this worker: a bad token, or versions that do not fit."""


class Superseded(SiteError):  # noqa: N818 - an answer, not a fault
    """The attempt has ended or another one took its place: whatever it made is not wanted."""


class Rejected(SiteError):  # noqa: N818 - an answer, not a fault
    """The site does not accept this body, and will not accept it later either."""


class SiteClient:
    """Calls the site with the worker's token.  Safe to use from several threads.

    `patience_s` bounds how long the calls that are worth repeating (hello, artifact, report,
    failure) are repeated; all others are tried once, because their caller asks again anyway.
    """

    def __init__(self, site: str, token: str, *, patience_s: float = 10.0, timeout_s: float = 5.0) -> None:
        self._site = site.rstrip("/")
        self._patience_s = patience_s
        self._hurry = threading.Event()
        self._store = httpx.Timeout(timeout_s, connect=min(5.0, timeout_s), read=STORE_S)
        self._http = httpx.Client(
            base_url=f"{self._site}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(timeout_s, connect=min(5.0, timeout_s)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def hurry(self) -> None:
        """Stop repeating calls: the worker is going away."""
        self._hurry.set()

    def hello(self, body: Hello) -> Welcome:
        """Introduce the worker.  Raises: Refused, Unreachable, Rejected."""
        return _parsed(Welcome, self._repeat(lambda: self._post("worker/hello", body)))

    def claim(self, body: ClaimRequest) -> Order | None:
        """The best job this worker may take, or None.  Raises: Refused, Unreachable, Rejected."""
        answer = self._post("worker/claim", body)
        if answer.status_code == 204:
            return None
        try:
            return _parsed(Order, answer)
        except Rejected as error:  # a newer site's job: say so now rather than let its lease run out
            self.failure(answer.json()["token"], Failure(kind="protocol", message=str(error)[:4000]))
            raise

    def progress(self, token: str, body: Progress) -> ProgressAnswer:
        """Prolong the lease and tell how far the job is.  Raises: Superseded, Unreachable."""
        return _parsed(ProgressAnswer, self._post(f"attempts/{token}/progress", body))

    def pair(self, token: str, body: Pair) -> None:
        """Tell of a finished pair; tried once, the spool tries again.

        Raises: Superseded, Unreachable, Rejected, Refused.
        """
        self._post(f"attempts/{token}/pairs", body)

    def artifact_put(self, token: str, ref: ArtifactRef, path: Path) -> None:
        """Send a file; one the site already has is no fault.  Raises: Superseded, Unreachable, Rejected."""

        def send() -> httpx.Response:
            return self._send_stored(
                "PUT",
                f"attempts/{token}/artifacts/{ref.name}",
                params={"kind": ref.kind, "sha256": ref.sha256},
                content=self._chunks(path),
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(ref.size)},
            )

        self._repeat(send)

    def _chunks(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                if self._hurry.is_set():
                    raise Offline(f"{path.name} was not sent: the worker is going away")
                yield chunk

    def report(self, token: str, body: bytes) -> None:
        """Send a report (JSON).  Raises: Superseded, Unreachable, Rejected."""
        packed = gzip.compress(json_clean(body), compresslevel=6, mtime=0)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        path = f"attempts/{token}/report"
        self._repeat(lambda: self._send_stored("POST", path, content=packed, headers=headers))

    def failure(self, token: str, body: Failure) -> None:
        """Tell that the job could not be done.  Raises: Superseded, Unreachable, Rejected."""
        self._repeat(lambda: self._post(f"attempts/{token}/failure", body))

    def give_back(self, token: str) -> None:
        """Free the job for another worker, at once; tried once, in 2 s.  Raises: Superseded, Unreachable."""
        self._send("POST", f"attempts/{token}/give-back", json={}, timeout=2.0)

    def _post(self, path: str, body: BaseModel) -> httpx.Response:
        content = json_clean(body.model_dump_json().encode())
        return self._send("POST", path, content=content, headers={"Content-Type": "application/json"})

    def _send_stored(self, method: str, path: str, **options: object) -> httpx.Response:
        """`_send` with time for the site to store it, from another thread: a worker that goes leaves it."""
        answer: Future[httpx.Response] = Future()

        def send() -> None:
            try:
                answer.set_result(self._send(method, path, timeout=self._store, **options))
            except BaseException as error:  # whatever it is, it belongs to the caller
                answer.set_exception(error)

        threading.Thread(target=send, name="store", daemon=True).start()
        leave_at = float("inf")
        while not wait((answer,), timeout=0.1).done:
            if self._hurry.is_set():
                leave_at = min(leave_at, time.monotonic() + LEAVE_S)
            if time.monotonic() > leave_at:
                raise Offline(f"{self._site} has not answered yet, and the worker is going away")
        return answer.result()

    def _send(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)  # type: ignore[arg-type]
        except httpx.RequestError as error:
            kind = Offline if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)) else Unreachable
            raise kind(f"{self._site} does not answer: {type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer
        raise _refusal(answer)

    def _repeat(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Call `send` until it gets an answer or the patience ends; pauses double, with jitter."""
        deadline = time.monotonic() + self._patience_s
        pause = 0.25
        while True:
            try:
                return send()
            except Unreachable as error:
                wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                if time.monotonic() + wait > deadline or self._hurry.wait(wait):
                    raise
                log.info("the call is repeated", reason=str(error))
                pause = min(pause * 2, 5.0)


def _parsed(model: type[Model], answer: httpx.Response) -> Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise Rejected(
            f"{answer.request.url} answered what is not a {model.__name__}: {error}. "
            "Is it a Perfsite of this version?"
        ) from error


_REFUSALS: dict[int, type[SiteError]] = {
    401: Refused,
    403: Refused,
    409: Refused,
    410: Superseded,
    408: Unreachable,
    425: Unreachable,
    429: Unreachable,
    502: Unreachable,  # these three a proxy says, too, while the site behind it is restarted
    503: Unreachable,
    504: Unreachable,
}


def _refusal(answer: httpx.Response) -> SiteError:
    """The exception for an answer that is not a success."""
    status = answer.status_code
    kind = _REFUSALS.get(status, Broken if status >= 500 else Rejected)
    return kind(_sentence(answer))


def _sentence(answer: httpx.Response) -> str:
    """The site's own words where it has some, else the status and where it came from."""
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code}"
    try:
        told = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        if answer.is_redirect:
            return f"{where} points to {answer.headers.get('location')}; give that address as --site"
        return f"{where} {answer.reason_phrase}"
    return told if isinstance(told, str) and answer.status_code != 404 else f"{where}: {told}"
