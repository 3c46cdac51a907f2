"""The raw samples of a generated history's newest builds: reports as workers would have sent them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from django.core.files.base import ContentFile

from benchmarks.cases import Case
from benchmarks.metrics import METRICS
from perfsite.demo.history.catalogue import Row
from perfsite.demo.history.story import Numbers
from perfsite.demo.history.work import Work
from perfsite.results.artifacts import REPORT_NAME, file_keep
from perfsite.results.models import Artifact

KEPT = 200  # samples of a point, thinned as a worker thins them
_TAIL = 0.35  # of a point's own spread, to the slow side
_CHANGES = 6  # the newest ones: their builds keep samples too, so that an incident has its histogram
_FORMAT = 2


def samples_store(*, work: Work, numbers: Numbers, builds: int, count: int) -> int:
    """Store the reports of the newest `builds` and of the builds around the newest changes; how many."""
    places = set(range(max(0, work.story.builds - builds), work.story.builds)) if builds else set()
    newest = sorted(work.story.changes, key=lambda change: change.place)[-_CHANGES:] if builds else []
    places |= {place for change in newest for place in (change.place - 1, change.place)}
    rows: list[Artifact] = []
    for place in sorted(places):
        first = 0
        for number, series in enumerate(work.jobs_rows):
            body = _report(work, numbers, series, place=place, number=number, first=first, count=count)
            rows.append(_artifact(work.job_id(place, number), body))
            first += len(series)
    Artifact.objects.bulk_create(rows, batch_size=500)
    return len(rows)


def _artifact(job_id: int, body: dict[str, Any]) -> Artifact:
    return artifact_make(job_id, REPORT_NAME, "report", gzip.compress(json.dumps(body).encode(), mtime=0))


def artifact_make(job_id: int, name: str, kind: str, content: bytes) -> Artifact:
    """A file of a job, stored; its row is not."""
    digest = hashlib.sha256(content).hexdigest()
    row = Artifact(job_id=job_id, name=name, kind=kind, sha256=digest, size=len(content))
    row.file.name = file_keep(row, ContentFile(content))
    return row


def _report(
    work: Work, numbers: Numbers, series: Iterable[Row], *, place: int, number: int, first: int, count: int
) -> dict[str, Any]:
    rng = np.random.default_rng([work.story.seed, 5, place, number])
    rows = list(series)
    measured = [
        _measured(
            row, rng, float(numbers.values[first + at, place]), float(numbers.half[first + at, place]), count
        )
        for at, row in enumerate(rows)
    ]
    return {
        "format": _FORMAT,
        "created_at": work.story.moment(int(work.story.ordinals[place])).isoformat(),
        "generator": "generated history",
        "model": rows[0].model,
        "source": {"kind": "entry", "ref": f"models/{rows[0].model}.py:build"},
        "precision": rows[0].precision,
        "environment": {"facts": {"gpu_name": rows[0].kind.gpu_name}},
        "measurements": measured,
    }


def _measured(row: Row, rng: np.random.Generator, value: float, half: float, count: int) -> dict[str, Any]:
    case = Case(model=row.model, runner=row.runner, precision=row.precision, suite=row.suite)
    body = {
        "case": case.at_shape(row.shape).model_dump(mode="json"),
        "metric": row.metric,
        "value": value,
        "unit": METRICS[row.metric].unit,
        "ci_low": value - half,
        "ci_high": value + half,
        "n": count,
    }
    if row.spread:
        body["samples"] = _drawn(row, rng, value)
    return body


def _drawn(row: Row, rng: np.random.Generator, value: float) -> list[float]:
    """Samples around a value: a narrow hump and a tail to the slow side, as latencies have."""
    scatter = rng.normal(0.0, row.spread, KEPT) + row.sign * rng.exponential(_TAIL * row.spread, KEPT)
    scatter -= np.median(scatter)
    return [float(f"{sample:.6g}") for sample in value * np.exp(scatter)]
