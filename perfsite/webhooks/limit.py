"""Bodies that are too large are refused before they are kept.

Django's ASGI handler writes the whole body to a temporary file before any view runs, so a view's
own check comes too late to save the disk.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# A client that still sends when the connection closes may never see the answer (RFC 9112, 9.6):
# so much more is read and thrown away first.
_DRAINED = 64 * 2**20


class _TooLargeError(Exception):
    """The body went over the limit while it was read."""


def body_limited(application: Application, limits: Mapping[str, int]) -> Application:
    """The application, with bodies of at most `limits[prefix]` bytes under each path prefix; more is 413."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        limit = next((size for prefix, size in limits.items() if path.startswith(prefix)), None)
        if scope["type"] != "http" or limit is None:
            await application(scope, receive, send)
        elif _announced(scope) > limit:
            await _drain(receive)
            await _refuse(send, limit)
        else:
            await _counted(application, scope, receive, send, limit)

    return limited


async def _counted(application: Application, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    """A body without a length, or one that lies about it, is counted as it comes."""
    left = limit

    async def counting() -> Event:
        nonlocal left
        event = await receive()
        left -= len(event.get("body", b""))
        if left < 0:
            if event.get("more_body"):
                await _drain(receive)
            raise _TooLargeError
        return event

    try:
        await application(scope, counting, send)
    except _TooLargeError:
        await _refuse(send, limit)


def _announced(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    return int(length) if length.isdigit() else 0


async def _drain(receive: Receive) -> None:
    left, more = _DRAINED, True
    while more and left > 0:
        event = await receive()
        left -= len(event.get("body", b""))
        more = bool(event.get("more_body"))


async def _refuse(send: Send, limit: int) -> None:
    answer = {"status": "refused", "builds": 0, "detail": f"the body is larger than {limit} bytes"}
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
