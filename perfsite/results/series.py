"""A series is found by the digest of what names it, and made when its first point comes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from perfsite.results.models import Series
from perfsite.runs.models import Build

CASE_FIELDS = ("model", "runner", "precision", "shape", "suite")
# their order is part of every key: keep it
_KEY_FIELDS = ("branch", "device_class", "split", *CASE_FIELDS, "metric")


def series_fields(*, build: Build, device_class: str, split: str, case: Any, metric: str) -> dict[str, str]:
    """All that names a measured value's series, but the project; `case` is whatever has `CASE_FIELDS`."""
    named = {name: getattr(case, name) for name in CASE_FIELDS}
    return {"branch": build.branch, "device_class": device_class, "split": split, **named, "metric": metric}


def series_key(*, project_id: int, fields: Mapping[str, str]) -> str:
    """The key of the series with these fields, named as in `series_fields`."""
    text = json.dumps([project_id, *(fields[name] for name in _KEY_FIELDS)])
    return hashlib.sha256(text.encode()).hexdigest()


def series_note(*, project_id: int, rows: Sequence[Mapping[str, str]]) -> list[int]:
    """The ids of the series with these fields, in order, new ones made.  Two queries for all."""
    keys = [series_key(project_id=project_id, fields=row) for row in rows]
    known = _ids_by_key(keys)
    fresh = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    if fresh:
        # in one order for all: two reports that make the same ones would wait for each other
        made = [Series(key=key, project_id=project_id, **row) for key, row in sorted(fresh.items())]
        Series.objects.bulk_create(made, ignore_conflicts=True)  # another report may make them just now
        known |= _ids_by_key(list(fresh))
    return [known[key] for key in keys]


def _ids_by_key(keys: Sequence[str]) -> dict[str, int]:
    return dict(Series.objects.filter(key__in=keys).values_list("key", "id"))
