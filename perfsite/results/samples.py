"""The raw samples behind a point: they lie in the report that its job sent, never in rows."""

from __future__ import annotations

import gzip
import json

from benchmarks.cases import Case
from perfsite.results.artifacts import REPORT_NAME
from perfsite.results.models import Artifact, Series
from perfsite.runs.cases import case_key


def samples_read(*, series: Series, build_id: int) -> list[float]:
    """The samples of one point, in the metric's unit; empty where its report kept none, or is gone."""
    file = Artifact.objects.filter(
        job__points__series=series, job__points__build_id=build_id, name=REPORT_NAME
    ).first()
    if file is None:
        return []
    try:
        with file.file.open("rb") as stream:
            body = json.loads(gzip.decompress(stream.read()))
    except (OSError, EOFError, ValueError):
        return []  # the file is gone or damaged; the point itself does not depend on it
    rows = (
        row for row in body.get("measurements", []) if row["metric"] == series.metric and row.get("samples")
    )
    found = (row["samples"] for row in rows if case_key(Case.model_validate(row["case"])) == case_key(series))
    return list(next(found, []))
