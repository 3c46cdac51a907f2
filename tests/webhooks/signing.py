"""How a forge signs, written out once more so that the tests do not believe the code they test."""

from __future__ import annotations

import hashlib
import hmac

SECRET = "it's a secret"


def signed(body: bytes, secret: str = SECRET) -> str:
    """The signature header of these bytes."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
