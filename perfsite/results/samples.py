"""The raw samples behind a point: they lie in the report that a worker sent, never in rows.

The body of results from elsewhere is kept under the same name, in another form and without samples.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from benchmarks.cases import Case
from perfsite.results.artifacts import REPORT_NAME
from perfsite.results.models import Artifact, Measurement, Series
from perfsite.runs.cases import case_key

# a report is a file to be read and unpacked: so many for one answer
BUILDS_MOST = 50
SAMPLES_MOST = 200


@dataclass(frozen=True)
class PointSamples:
    """Samples behind one point, in the metric's unit, the smallest first; `n` is how many are kept."""

    ordinal: int
    build_id: int
    n: int
    samples: list[float]


def samples_read(*, series: Series, build_id: int) -> list[float]:
    """The samples of one point, in the metric's unit; empty where its report kept none, or is gone."""
    file = _reports().filter(job__points__series=series, job__points__build_id=build_id).first()
    return [] if file is None else _samples_of(file, series)


def samples_span(*, series: Series, first: int, last: int) -> list[PointSamples]:
    """The samples of the points between two ordinals, both included, in branch order.

    Of more than `BUILDS_MOST` points only the newest are read; of more than `SAMPLES_MOST` samples as many
    evenly spaced ones of their order are told, the least and the largest among them.  What kept none is
    left out.
    """
    rows = Measurement.objects.filter(series=series, ordinal__range=(first, last)).order_by("-ordinal")
    points = list(rows.values_list("ordinal", "build_id", "job_id")[:BUILDS_MOST])
    files = {file.job_id: file for file in _reports().filter(job__in=[job for _, _, job in points])}
    told = []
    for ordinal, build_id, job_id in reversed(points):
        samples = sorted(_samples_of(files[job_id], series)) if job_id in files else []
        if samples:
            told.append(PointSamples(ordinal, build_id, len(samples), _thinned(samples)))
    return told


def _reports() -> QuerySet[Artifact]:
    return Artifact.objects.filter(kind="report", name=REPORT_NAME)


def _thinned(ordered: Sequence[float]) -> list[float]:
    """At most `SAMPLES_MOST`, evenly spaced, with both ends."""
    if len(ordered) <= SAMPLES_MOST:
        return list(ordered)
    step = (len(ordered) - 1) / (SAMPLES_MOST - 1)
    return [ordered[round(place * step)] for place in range(SAMPLES_MOST)]


def _samples_of(file: Artifact, series: Series) -> list[float]:
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
