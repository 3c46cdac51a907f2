"""Text that a database can keep: without NUL characters and halves of surrogate pairs.

Watched code may put either into the message of an error; PostgreSQL refuses the one, JSON the other.
"""

from __future__ import annotations

import json
from typing import Any


def text_clean(value: Any) -> Any:
    """A text without those characters; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").encode(errors="ignore").decode()


def json_clean(body: bytes) -> bytes:
    """A JSON text with every text in it cleaned; what is no JSON stays, its reader will say so."""
    if b"\\u" not in body:  # JSON has no other way to write these characters
        return body
    try:
        content = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_cleaned(content), ensure_ascii=False).encode()


def _cleaned(content: Any) -> Any:
    if isinstance(content, dict):
        return {text_clean(key): _cleaned(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_cleaned(value) for value in content]
    return text_clean(content)
