"""Is a delivery from who it says: HMAC-SHA256 over the raw body, compared in constant time.  Pure.

RFC 2104 with SHA-256; the header's form, `sha256=` and 64 hexadecimal digits, is GitHub's.
"""

from __future__ import annotations

import hashlib
import hmac

PREFIX = "sha256="


def signature_make(*, secret: str, body: bytes) -> str:
    """The header that a sender who knows `secret` sets for these bytes."""
    return PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signature_matches(*, secret: str, body: bytes, header: str) -> bool:
    """Whether `header` signs exactly these bytes; an empty secret signs nothing."""
    if not secret:
        return False
    expected = signature_make(secret=secret, body=body)
    # as bytes: compare_digest refuses text that is not ASCII, and a header may be anything
    return hmac.compare_digest(expected.encode(), header.strip().encode(errors="replace"))


def token_matches(*, secret: str, body: bytes, header: str) -> bool:
    """Whether `header` is the secret itself, as GitLab sends it: it proves the sender, not the bytes."""
    del body
    return bool(secret) and hmac.compare_digest(secret.encode(), header.encode(errors="replace"))
