"""A small real HTTP site that speaks the workers' contract, and remembers everything it was told."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import psutil

from benchmarks.report import Report
from workers.messages import (
    PROTOCOL,
    ClaimRequest,
    Failure,
    Hello,
    Order,
    Pair,
    Progress,
    ProgressAnswer,
    Welcome,
)

TOKEN = "worker-secret-token"


@dataclass
class Told:
    """What the site heard about one attempt."""

    progress: list[Progress] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    report: Report | None = None
    failure: Failure | None = None
    reports: int = 0
    given_back: bool = False

    @property
    def counted(self) -> int:
        """The pairs that other work on this machine did not disturb."""
        return sum(not pair.disturbed for pair in self.pairs)

    @property
    def ended(self) -> bool:
        return self.report is not None or self.failure is not None or self.given_back


class StandIn:
    """A site on a free port; `orders` are handed out first in, first out.

    `broken` has the status of a call that fails, by token and verb: {"<token>/report": 500}.
    """

    def __init__(self, heartbeat_s: float = 0.2) -> None:
        self.heartbeat_s = heartbeat_s
        self.orders: deque[Order] = deque()
        self.claims: list[ClaimRequest] = []
        self.hellos: list[Hello] = []
        self.told: dict[str, Told] = {}
        self.cancelled: set[str] = set()
        self.superseded: set[str] = set()
        self.others_wait: set[str] = set()
        self.refuse_hello: str | None = None
        self.fail_with: int | None = None
        self.reject_reports = False
        self.broken: dict[str, int] = {}
        self.store_s = 0.0
        self.forget = False
        self.on_claim: Callable[[], None] = lambda: None
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StandIn:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Serve, again on the same port after an outage."""
        site = self

        class Handler(_Handler):
            pass

        Handler.site = site
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def give(self, order: Order) -> Told:
        """Queue a job; what is heard about it."""
        self.told[order.token] = Told()
        self.orders.append(order)
        return self.told[order.token]

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, str]:
        """The status and the JSON for a call."""
        if path == "worker/hello":
            hello = Hello.model_validate_json(body)
            self.hellos.append(hello)
            if self.refuse_hello:
                return 409, f'{{"error": {{"message": "{self.refuse_hello}"}}}}'
            welcome = Welcome(protocol=PROTOCOL, worker_id=1, heartbeat_s=self.heartbeat_s, lease_s=60)
            return 200, welcome.model_dump_json()
        if path == "worker/claim":
            if self.forget:
                self.forget = False
                return 409, '{"error": {"message": "unknown worker; say hello first"}}'
            self.claims.append(ClaimRequest.model_validate_json(body))
            answer = (200, self.orders.popleft().model_dump_json()) if self.orders else (204, "")
            self.on_claim()
            return answer
        match = re.fullmatch(
            r"attempts/([^/]+)/(progress|pairs|report|failure|give-back|artifacts/([^/]+))", path
        )
        if match is None or match[1] not in self.told:
            return 404, '{"error": {"message": "no such thing"}}'
        if match[1] in self.superseded:
            return 410, '{"error": {"message": "the attempt was superseded"}}'
        if status := self.broken.get(f"{match[1]}/{match[2]}"):
            return status, '{"error": {"message": "the disk of the database is full"}}'
        return self._attempt(match[1], match[2].partition("/")[0], match[3], query, body)

    def _attempt(
        self, token: str, verb: str, name: str | None, query: dict[str, str], body: bytes
    ) -> tuple[int, str]:
        told = self.told[token]
        if verb == "progress":
            told.progress.append(Progress.model_validate_json(body))
            answer = ProgressAnswer(
                cancel=token in self.cancelled, others_wait=token in self.others_wait, lease_s=60
            )
            return 200, answer.model_dump_json()
        if verb == "pairs":
            if told.ended:
                return 410, '{"error": {"message": "the attempt has ended"}}'
            pair = Pair.model_validate_json(body)
            if pair.number in [one.number for one in told.pairs]:
                return 200, '{"kept": false}'
            told.pairs.append(pair)
            return 200, '{"kept": true}'
        if verb == "artifacts" and name is not None:
            if hashlib.sha256(body).hexdigest() != query["sha256"]:
                return 400, '{"error": {"message": "the digest does not fit"}}'
            new = name not in told.artifacts
            told.artifacts[name] = body
            return (201 if new else 200), "{}"
        if verb == "report":
            if self.reject_reports:
                return 422, '{"error": {"message": "this is no report"}}'
            time.sleep(self.store_s)
            told.reports += 1
            told.report = Report.model_validate_json(body)
            return 200, '{"stored": true}'
        if verb == "failure":
            told.failure = Failure.model_validate_json(body)
        else:
            told.given_back = True
        return 200, "null"


class _Handler(BaseHTTPRequestHandler):
    site: StandIn
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, text = 401, '{"error": {"message": "Unauthorized"}}'
        elif self.site.fail_with is not None:
            status, text = self.site.fail_with, '{"error": {"message": "told to fail"}}'
        else:
            status, text = self.site.answer(self.command, url.path.removeprefix("/api/v1/"), query, body)
        data = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if status != 204 else b"")

    do_POST = do_PUT = _serve  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        pass


def token_new() -> str:
    return str(uuid.uuid4())


PATIENCE_S = 240.0
"""For what must happen and whose speed no test is about: a busy machine is slow, not wrong."""


def wait_until(happened: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Return as soon as `happened()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {seconds:g} s"
        time.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie that nobody has buried yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive_pid(pid: int) -> bool:
    try:
        return alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False
