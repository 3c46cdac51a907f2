"""The body limit of the ASGI application: what is too large never reaches Django."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from perfsite.webhooks.limit import body_limited


class Caller:
    """One ASGI request: its chunks, what the application got of it, and what it answered."""

    def __init__(self, *chunks: bytes, path: str = "/webhooks/x/", length: int | None = None) -> None:
        self.left = list(chunks)
        self.sent: list[dict[str, Any]] = []
        self.reached = b""
        headers = [] if length is None else [(b"Content-Length", str(length).encode())]
        self.scope = {"type": "http", "path": path, "headers": headers}

    async def receive(self) -> dict[str, Any]:
        chunk = self.left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self.left)}

    async def send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    async def application(self, scope: dict, receive: Any, send: Any) -> None:
        more = True
        while more:
            event = await receive()
            self.reached += event["body"]
            more = event["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def run(self) -> int:
        asyncio.run(body_limited(self.application, {"/webhooks/": 10})(self.scope, self.receive, self.send))
        return self.sent[0]["status"]


def test_a_body_at_the_limit_passes_whole():
    caller = Caller(b"12345", b"67890", length=10)
    assert (caller.run(), caller.reached) == (200, b"1234567890")


@pytest.mark.parametrize("length", [11, None, 5])
def test_a_body_over_the_limit_is_refused_and_read_to_its_end(length: int | None):
    caller = Caller(b"12345", b"678901", b"more", b"still more", length=length)
    assert caller.run() == 413
    assert caller.left == []
    assert json.loads(caller.sent[1]["body"])["detail"] == "the body is larger than 10 bytes"
    assert len(caller.reached) <= 10


def test_an_endless_body_is_not_read_to_its_end():
    caller = Caller(*[b"x" * 2**20] * 100, length=100 * 2**20)
    assert caller.run() == 413
    assert len(caller.left) == 36


def test_other_paths_have_no_limit():
    caller = Caller(b"x" * 100, path="/other", length=100)
    assert (caller.run(), len(caller.reached)) == (200, 100)
