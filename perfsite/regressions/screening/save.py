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
    most = connection.features.max_query_params or 10_000
    with connection.cursor() as cursor:
        for first in range(0, len(states), most):
            rows = states[first : first + most]
            screens = [json.dumps(state.screen, separators=(",", ":")) for state in rows]
            cursor.execute(_statement(rows), screens)


def _statement(states: Sequence[SeriesState]) -> str:
    """The same words for SQLite and PostgreSQL, a parameter for each `screen`.

    The names in it are the model's and the numbers whole: as parameters they cost psycopg more than the
    server takes to store them.
    """
    fresh = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
    return (
        f"INSERT INTO {SeriesState._meta.db_table} ({', '.join(_COLUMNS)}) "  # noqa: S608
        f"VALUES {', '.join(_row(state) for state in states)} "
        f"ON CONFLICT ({_COLUMNS[0]}) DO UPDATE SET {fresh}"
    )


def _row(state: SeriesState) -> str:
    build = "NULL" if state.build_id is None else f"{state.build_id:d}"
    return f"({state.series_id:d}, {state.screened_through:d}, {build}, {state.level_start:d}, %s)"
