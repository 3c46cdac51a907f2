"""What payloads are made of, made harmless: bounded texts, checked shas, tolerant times.  Pure.

A commit message or a date may be anything, so a strange one is mended; a sha or a ref decides what is
fetched and measured, so a strange one is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from perfsite.runs.commits import is_branch
from perfsite.webhooks.payloads.events import PayloadError

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEADS, _REFS = "refs/heads/", "refs/"

_M = TypeVar("_M", bound="Shape")


def text_mend(value: object) -> str:
    """Text a database can keep: no NUL, which PostgreSQL refuses, and no half of a surrogate pair."""
    if not isinstance(value, str):
        return ""
    return value.replace("\x00", "").encode(errors="replace").decode()


def _cut(length: int) -> Callable[[object], str]:
    return lambda value: text_mend(value).strip()[:length]


def subject_of(message: str) -> str:
    """The first line of a commit message, 300 characters at most."""
    return message.lstrip().split("\n", 1)[0].strip()[:300]


def _sha(value: str) -> str:
    value = value.lower()
    if not _SHA.fullmatch(value):
        raise ValueError("should be 40 or 64 hexadecimal digits")
    return value


def is_zero(sha: str) -> bool:
    """Whether the sha is the one of nothing: how forges write "created" and "deleted"."""
    return not sha.strip("0")


def _when(value: object) -> datetime | None:
    """ISO 8601, with ` UTC` as GitLab may write it, or seconds since 1970 as GitHub mixes them; else None."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def branch_of(ref: str) -> str | None:
    """The branch a ref names; None when it is a tag or another kind of ref.

    Raises:
        PayloadError: git allows no such name, or it is longer than 200 characters.
    """
    if ref.startswith(_REFS) and not ref.startswith(_HEADS):
        return None
    branch = ref.removeprefix(_HEADS)
    if not is_branch(branch) or text_mend(branch) != branch:
        raise PayloadError(f"ref: {text_mend(ref)[:80]!r} names no branch that git allows")
    return branch


Sha = Annotated[str, AfterValidator(_sha)]
Message = Annotated[str, BeforeValidator(text_mend), AfterValidator(subject_of)]
Name = Annotated[str, BeforeValidator(_cut(200))]
Address = Annotated[str, BeforeValidator(_cut(254))]
Link = Annotated[str, BeforeValidator(_cut(500))]
When = Annotated[datetime | None, BeforeValidator(_when)]


class Shape(BaseModel):
    """The part of a payload that we read; forges add keys at any time."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def json_read(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        PayloadError: it is none.
    """
    try:
        value = json.loads(body)
    except ValueError as error:  # no JSON, no Unicode, or a number of more digits than Python converts
        raise PayloadError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise PayloadError("the body is JSON that is nested too deeply") from None
    if not isinstance(value, dict):
        raise PayloadError(f"the body is JSON, but no object: it is a {type(value).__name__}")
    return value


def shape_read(shape: type[_M], value: dict[str, Any]) -> _M:
    """The object as `shape`.

    Raises:
        PayloadError: a key is missing or wrong; the message names the first one.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PayloadError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
