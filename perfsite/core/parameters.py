"""Parameters that many operations of the API have."""

from __future__ import annotations

from typing import Annotated

from ninja import Path
from pydantic import Field

ID_MAX = 2**63 - 1

RowId = Path[Annotated[int, Field(ge=1, le=ID_MAX)]]
"""The number of a row, in the address."""

Ordinal = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""A place on a branch."""
