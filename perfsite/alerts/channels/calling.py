"""One HTTP call of a channel: guarded, never redirected, its failure told as what it means for a retry."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime

import httpx
from django.conf import settings

from perfsite.alerts.channels.base import DeliveryError
from perfsite.alerts.retrying import retry_after
from perfsite.core.outbound import OutboundRefusedError, outbound_client, url_check

# RFC 9110: these ask for another try; every other 4xx says that the request itself is wrong
_AGAIN = frozenset({408, 425, 429})
# of what is sent only the message differs from call to call, and only these can be about it
ABOUT_MESSAGE = frozenset({400, 409, 413, 422})
_SHOWN = 200


def schemes_allowed() -> Sequence[str]:
    """https, and http only where the operator allowed it."""
    return ("https", "http") if settings.ALERTS_HTTP else ("https",)


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    about_channel: Container[str] = (),
) -> None:
    """Post `body` as JSON; the words `about_channel` in a refusal say that no other message would be taken.

    Raises:
        DeliveryError: it was not taken; `is_unknown` when it was sent and no answer came.
    """
    host = address_judged(url)
    sent = {"Content-Type": "application/json", "User-Agent": "perfsite", **(headers or {})}
    try:
        # of a long answer the beginning is enough: one that never ends would hold the sender for ever
        with (
            outbound_client(timeout_s=settings.ALERTS_TIMEOUT_SECONDS, schemes=schemes_allowed()) as client,
            client.stream("POST", url, content=body, headers=sent) as response,
        ):
            text = _beginning(response)
    except OutboundRefusedError as error:
        raise DeliveryError(str(error), is_misdirected=True) from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise DeliveryError(f"{host} cannot be reached: {error}", is_silent=True) from error
    except httpx.HTTPError as error:
        raise DeliveryError(
            f"{host} gave no answer ({type(error).__name__}); it may have taken the message", is_unknown=True
        ) from error
    asked = response.headers.get("Retry-After")
    status_judge(host, response.status_code, text, asked, about_channel=about_channel)


def _beginning(response: httpx.Response) -> str:
    """The first that comes of the body of an answer that is no success; nothing of one that is."""
    if response.is_success:
        return ""
    return next(response.iter_bytes(), b"")[:_SHOWN].decode(errors="replace")


def address_judged(url: str) -> str:
    """The host of a URL that may be called.

    Raises:
        DeliveryError: it may not, for good.
    """
    try:
        return url_check(url, schemes=schemes_allowed()).host
    except OutboundRefusedError as error:
        raise DeliveryError(str(error), permanent=True) from error


def status_judge(
    host: str, status: int, text: str, asked: str | None = None, *, about_channel: Container[str] = ()
) -> None:
    """Nothing where the message was taken.

    Raises:
        DeliveryError: it was not, permanent where the same request cannot succeed; by its status, and the
            words in its text, it is told whether another message could.
    """
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(
            f"{host} redirects (HTTP {status}), which is not followed; enter the address it leads to",
            permanent=True,
        )
    raise DeliveryError(
        f"{host} answered HTTP {status}: {' '.join(text.split()) or 'nothing'}",
        permanent=status < 500 and status not in _AGAIN,
        is_message_only=status in ABOUT_MESSAGE
        and not any(word in about_channel for word in re.findall(r"\w+", text)),
        retry_after=retry_after(asked, now=datetime.now(UTC)),
    )
