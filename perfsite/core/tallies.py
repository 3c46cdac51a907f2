"""Counters that only grow, for `/metrics`: exact over restarts and over any number of processes."""

from __future__ import annotations

import json

from django.db import connection

from perfsite.core.models import Tally

_ADD = (
    f"INSERT INTO {Tally._meta.db_table} (name, labels, count) VALUES (%s, %s, 1) "  # noqa: S608 - our table
    f"ON CONFLICT (name, labels) DO UPDATE SET count = {Tally._meta.db_table}.count + 1"
)


def tally_add(name: str, **labels: str) -> None:
    """Count one.  In a transaction call it last: the row stays locked until that ends."""
    with connection.cursor() as cursor:  # the ORM has no increment on conflict
        cursor.execute(_ADD, [name, json.dumps(labels, sort_keys=True)])


def tallies_of(name: str) -> list[tuple[dict[str, str], int]]:
    """The labels and the count of every row of a name."""
    rows = Tally.objects.filter(name=name).order_by("labels").values_list("labels", "count")
    return [(json.loads(labels), count) for labels, count in rows]
