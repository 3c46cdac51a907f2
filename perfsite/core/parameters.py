"""Parameters that many operations of the API have."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from ninja import Path
from pydantic import AfterValidator, Field

ID_MAX = 2**63 - 1

RowId = Path[Annotated[int, Field(ge=1, le=ID_MAX)]]
"""The number of a row, in the address."""

Ordinal = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A place on a branch."""


def _is_local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("a local time has no offset of its own; the time zone is a field beside it")
    return value


LocalTime = Annotated[time, AfterValidator(_is_local), Field(examples=["02:00"])]
"""A time of day in a time zone that is told beside it."""
