"""Parameters that many operations of the API have."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from ninja import Path
from pydantic import AfterValidator, Field, WithJsonSchema

ID_MAX = 2**63 - 1

RowId = Path[Annotated[int, Field(ge=1, le=ID_MAX)]]
"""The number of a row, in the address."""

Ordinal = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A place on a branch."""


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("a local time has no offset of its own; the time zone is a field beside it")
    return value.replace(microsecond=0)


# JSON Schema's own format `time` has an offset
_SHOWN = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["02:00:00"]}
LocalTime = Annotated[time, AfterValidator(_local), WithJsonSchema(_SHOWN)]
"""A time of day in a time zone that is told beside it."""
