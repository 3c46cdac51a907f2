"""Many rows at once: COPY on PostgreSQL, `executemany` on SQLite; indexes are built after the rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.core.management.color import no_style
from django.db import connection
from django.db.models import JSONField, Max, Model

_BATCH = 20_000
# how PostgreSQL writes these types in a binary COPY: a length, then the value, the largest byte first
_TYPES = {"bigint": ">i8", "integer": ">i4", "double precision": ">f8", "boolean": "u1"}
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"


def id_next(model: type[Model]) -> int:
    """The first id that no row of the model has."""
    return (model._base_manager.aggregate(last=Max("pk"))["last"] or 0) + 1


def rows_load(model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of these fields; a JSON value comes as its text."""
    fields = [model._meta.get_field(name) for name in names]
    columns = ", ".join(f'"{field.column}"' for field in fields)  # type: ignore[union-attr]
    table = f'"{model._meta.db_table}"'
    prepared = ([_prepared(field, value) for field, value in zip(fields, row, strict=True)] for row in rows)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in prepared:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(fields))
        while batch := list(itertools.islice(prepared, _BATCH)):
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", batch)  # noqa: S608


def _prepared(field: Any, value: Any) -> Any:
    if value is None or (isinstance(field, JSONField) and isinstance(value, str)):
        return value
    return field.get_db_prep_save(value, connection)


def columns_load(model: type[Model], blocks: Iterable[dict[str, np.ndarray]]) -> None:
    """Insert blocks of equally long columns of numbers, none of them missing."""
    for block in blocks:
        fields = [model._meta.get_field(name) for name in block]
        columns = ", ".join(f'"{field.column}"' for field in fields)  # type: ignore[union-attr]
        table = f'"{model._meta.db_table}"'
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                types = [_TYPES[_column_type(field)] for field in fields]
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(_HEADER + _binary(list(block.values()), types) + _END)
                continue
            marks = ", ".join(["?"] * len(fields))
            rows = zip(*(column.tolist() for column in block.values()), strict=True)
            # past Django's cursor: ten million rows need none of its translation
            cursor.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608


def _column_type(field: Any) -> str:
    return field.rel_db_type(connection) if field.is_relation else field.db_type(connection)


def _binary(columns: Sequence[np.ndarray], types: Sequence[str]) -> bytes:
    parts: list[tuple[str, str]] = [("count", ">i2")]
    for place, kind in enumerate(types):
        parts += [(f"size{place}", ">i4"), (f"value{place}", kind)]
    packed = np.empty(len(columns[0]), dtype=parts)
    packed["count"] = len(columns)
    for place, (column, kind) in enumerate(zip(columns, types, strict=True)):
        packed[f"size{place}"] = np.dtype(kind).itemsize
        packed[f"value{place}"] = column
    return packed.tobytes()


@contextmanager
def indexes_after(model: type[Model]) -> Iterator[None]:
    """Leave the table's indexes and constraints away while rows come in, when it has none yet.

    Making them again checks every row, and the planner is told of the new ones.  Inside a transaction
    nobody sees the table without them.
    """
    if model._base_manager.exists():
        yield
        return
    table = model._meta.db_table
    drop, create = _postgresql_ddl(table) if connection.vendor == "postgresql" else _sqlite_ddl(table)
    if connection.vendor == "postgresql":
        connection.check_constraints()  # now, not at the end: a table with checks to come cannot be altered
    with connection.cursor() as cursor:
        for statement in drop:
            cursor.execute(statement)
        yield
        cursor.execute("ANALYZE")  # else the checks of the new rows are planned for an empty table
        for statement in create:
            cursor.execute(statement)


def _postgresql_ddl(table: str) -> tuple[list[str], list[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype IN ('f', 'u')",
            [table],
        )
        constraints = cursor.fetchall()
        names = [name for name, _ in constraints]
        cursor.execute(
            "SELECT i.relname, pg_get_indexdef(i.oid) "
            "FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
            "WHERE x.indrelid = %s::regclass AND NOT x.indisprimary AND NOT i.relname = ANY(%s)",
            [table, names],
        )
        indexes = cursor.fetchall()
    drop = [f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"' for name in names]
    drop += [f'DROP INDEX "{name}"' for name, _ in indexes]
    create = [text for _, text in indexes]
    create += [f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {text}' for name, text in constraints]
    return drop, create


def _sqlite_ddl(table: str) -> tuple[list[str], list[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
            [table],
        )
        indexes = cursor.fetchall()
    return [f'DROP INDEX "{name}"' for name, _ in indexes], [text for _, text in indexes]


def ids_settle(models: Sequence[type[Model]]) -> None:
    """Let the next row of each model get an id behind those that were given here."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
            cursor.execute(statement)


def rows_settle() -> None:
    """Let PostgreSQL know what was loaded, as autovacuum would in time: plans and index-only scans need it.

    Within a transaction there is no vacuum; statistics are gathered there too.  A site's SQLite is never
    analysed, so what the loading gathered is forgotten: from it the planner learns that nearly every job
    has one state, and no longer asks the index for the few that have another.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)")
        elif _is_analysed(cursor):
            cursor.execute("DELETE FROM sqlite_stat1")


def _is_analysed(cursor: Any) -> bool:
    cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
    return cursor.fetchone() is not None
