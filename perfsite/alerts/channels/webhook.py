"""A signed webhook in the form of Standard Webhooks 1.0: https://www.standardwebhooks.com.

webhook-id         the notification's key, the same for every try: the receiver knows a second by it
webhook-timestamp  seconds since 1970, when this try was made
webhook-signature  v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"))
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time

from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Field, Outgoing
from perfsite.alerts.channels.calling import post

PREFIX = "whsec_"


def notify(outgoing: Outgoing) -> None:
    """Post the facts, signed."""
    body = json.dumps({"type": "perfsite.notification", "data": dict(outgoing.message.payload)}).encode()
    stamp = int(time.time())
    headers = {
        "webhook-id": outgoing.key,
        "webhook-timestamp": str(stamp),
        "webhook-signature": signature(outgoing.secrets["secret"], outgoing.key, stamp, body),
    }
    post(outgoing.settings["url"], body=body, headers=headers)


def signature(secret: str, key: str, stamp: int, body: bytes) -> str:
    """The signature of one try.

    Raises:
        DeliveryError: the secret is not base64.
    """
    try:
        raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise DeliveryError(f"the webhook's secret is not {PREFIX} and base64", permanent=True) from error
    digest = hmac.new(raw, f"{key}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


KIND = ChannelKind(
    name="webhook",
    title="Webhook",
    notify=notify,
    repeatable=True,
    fields=(
        Field("url", "URL", is_url=True),
        Field("secret", "Secret", "empty: one is made and shown once", is_secret=True, is_required=False),
    ),
)
