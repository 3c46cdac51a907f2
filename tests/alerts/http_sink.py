"""An HTTP server that keeps what it is sent and answers as the test says: statuses, hanging up, hanging."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Call:
    """One request, as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Handler(BaseHTTPRequestHandler):
    server: HttpSink
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, body)
        self.server.calls.append(call)
        answer = self.server.answer(call)
        if answer is None:  # hang up without a word
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not self.server.drip:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(self.server.drip)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # whatever the method
            return self._any
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Nothing: the calls are kept."""


class HttpSink(ThreadingHTTPServer):
    """Listens on a free port of the loopback; `answer` is called for each call and may wait."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[Call] = []
        self.drip = 0.0  # seconds between two bytes of an answer's body
        self.answer: Callable[[Call], Answer | None] = lambda call: (200, {}, b"ok")

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def say(self, status: int, content: bytes = b"", **headers: str) -> None:
        """Answer every call so from now on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda call: (status, named, content)


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    """A running server; stopped at the end."""
    with HttpSink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=5)
