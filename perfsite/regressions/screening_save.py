"""Writing many states at once.

One statement for all of them, by hand: the ORM's `bulk_create` takes 0.18 ms a row to make the same one,
which is more than all other steps of a row together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

from perfsite.regressions.models import SeriesState

_COLUMNS = ("series_id", "screened_through", "build_id", "level_start", "screen")


def states_save(*, states: Sequence[SeriesState]) -> None:
    """Insert the states or update those that are there; call it with the rows locked."""
    most = (connection.features.max_query_params or 10_000) // len(_COLUMNS)
    with connection.cursor() as cursor:
        for first in range(0, len(states), most):
            rows = states[first : first + most]
            cursor.execute(_statement(len(rows)), [value for row in rows for value in _values(row)])


def _statement(count: int) -> str:
    """The same words for SQLite and PostgreSQL; every name in it is the model's."""
    table = SeriesState._meta.db_table
    row = f"({', '.join(['%s'] * len(_COLUMNS))})"
    fresh = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    return (
        f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES {', '.join([row] * count)} "  # noqa: S608
        f"ON CONFLICT ({_COLUMNS[0]}) DO UPDATE SET {fresh}"
    )


def _values(state: SeriesState) -> tuple[int, int, int | None, int, str]:
    return (
        state.series_id,
        state.screened_through,
        state.build_id,
        state.level_start,
        json.dumps(state.screen, separators=(",", ":")),
    )
