"""Text from outside, made fit for every database."""

from __future__ import annotations

from typing import Any


def text_clean(value: Any) -> Any:
    """`value` with NUL characters and lone surrogates taken out of every string in it.

    PostgreSQL stores neither; a watched model may put them into its error messages.
    """
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    if isinstance(value, dict):
        return {text_clean(key): text_clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [text_clean(item) for item in value]
    return value
