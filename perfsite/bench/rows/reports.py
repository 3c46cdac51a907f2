"""Reports of 100 measurements stored per second, beside the same rows by the plain driver."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from benchmarks.cases import Case, ModelSource
from benchmarks.metrics import metric_get
from benchmarks.report import Environment, Measurement, Outcome, Report
from perfsite.bench.driver import begin, driver_open, marked
from perfsite.bench.load import in_turns
from perfsite.bench.table import Row, row_at_least
from perfsite.bench.world import attempts_made, jobs_made, project_made, workers_made
from perfsite.core.errors import PerfsiteError
from perfsite.results.models import Measurement as Point
from perfsite.results.services import report_store
from perfsite.runs.models import Attempt, Job

LEAST = 0.5
_METRICS = (
    "latency_p50", "latency_p90", "latency_p99", "latency_mean", "gpu_compute_time_p50",
    "gpu_compute_time_p99", "latency_with_copies_p50", "throughput", "gpu_peak_memory", "host_peak_memory",
)  # fmt: skip
_MOST = 3000
_CLASS = "bench-reports"


def reports_measure(seconds: float) -> list[Row]:
    """The row."""
    cases = [Case(model="model-0", runner="torch", suite="latency", batch=2**place) for place in range(10)]
    spec = {
        "source": {"kind": "catalogue", "ref": "tiny-cnn"},
        "cases": [case.model_dump() for case in cases],
    }
    project = project_made("reports")
    (worker,) = workers_made(1, _CLASS)
    jobs = jobs_made(project, _MOST, device_class=_CLASS, spec=spec, per_build=1)
    attempts = attempts_made(jobs, worker)
    body = _body(cases)
    raw = body.model_dump_json().encode()
    left = iter(attempts)

    def store(span: float) -> float:
        return _rate(span, left, lambda attempt: report_store(token=attempt.token, body=body, raw=raw))

    store(0.5)  # the series are made, as in any project that is measured for the second time
    with driver_open() as plain:
        floor = _Floor(plain)
        rates = in_turns(
            {"site": store, "floor": lambda span: _rate(span, left, floor.store)}, seconds=seconds
        )
    _check(project.pk)
    note = "reports: without raw samples; the site also writes each body to a file, the floor does not"
    return [
        row_at_least(
            "reports of 100 measurements stored",
            rates["site"],
            "1/s",
            floor=rates["floor"],
            least=LEAST,
            note=note,
        )
    ]


def _rate(span: float, left: Iterator[Attempt], store: Any) -> float:
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < span and (attempt := next(left, None)) is not None:
        store(attempt)
        done += 1
    return done / (time.perf_counter() - started)


def _check(project_id: int) -> None:
    """Whoever stored them, every done job has its hundred points."""
    done = Job.objects.filter(run__build__project_id=project_id, state="done").count()
    points = Point.objects.filter(series__project_id=project_id).count()
    if points != done * 100:
        raise PerfsiteError(f"{done} stored reports left {points} points, not {done * 100}")


def _body(cases: list[Case]) -> Report:
    measured = [
        Measurement(case=case, metric=name, unit=metric_get(name).unit, value=0.01, ci_low=0.009,
                    ci_high=0.011, n=1000)
        for case, name in itertools.product(cases, _METRICS)
    ]  # fmt: skip
    return Report(
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        generator="bench",
        model="model-0",
        source=ModelSource(kind="catalogue", ref="tiny-cnn"),
        precision="fp32",
        environment=Environment(facts={"cpu_model": "bench"}),
        outcomes=tuple(Outcome(case=case, status="done") for case in cases),
        measurements=tuple(measured),
    )


class _Floor:
    """One transaction of the rows that a stored report leaves, by statements written by hand."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        first = Point.objects.filter(series__project__slug="reports").order_by("id").first()
        assert first is not None
        self._series = list(
            Point.objects.filter(job_id=first.job_id).order_by("id").values_list("series_id", flat=True)
        )
        self._environment = first.job.report.environment_id

    def store(self, attempt: Attempt) -> None:
        """The end of attempt, job and run, the report, its points, its artifact."""
        now = datetime.now(UTC).isoformat(" ")
        job, build, run = attempt.job_id, attempt.job.run.build_id, attempt.job.run_id
        ordinal = attempt.job.run.build.ordinal
        cursor = self._plain.cursor()
        cursor.execute(begin())
        for table, row, state in (
            ("attempt", attempt.pk, "reported"),
            ("job", job, "done"),
            ("run", run, "done"),
        ):
            sql = f"UPDATE runs_{table} SET state = ?, ended_at = ? WHERE id = ?"  # noqa: S608 - our own words
            cursor.execute(marked(sql), (state, now, row))
        cursor.execute(marked(_REPORT), (job, attempt.pk, self._environment, now))
        points = [(series, ordinal, 0.01, 0.009, 0.011, 1000, False, build, job) for series in self._series]
        cursor.executemany(marked(_POINT), points)
        cursor.execute(marked(_ARTIFACT), (job, uuid.uuid4().hex, now))
        cursor.execute("COMMIT")


_REPORT = (
    "INSERT INTO results_report (job_id, attempt_id, environment_id, received_at, kind, outcomes, stages, "
    "remarks, comparisons, canary, points, judged, unstable) "
    "VALUES (?, ?, ?, ?, 'measure', '[]', '[]', '[]', '[]', '[]', 100, 90, 0)"
)
_POINT = (
    "INSERT INTO results_measurement (series_id, ordinal, value, ci_low, ci_high, n, unstable, build_id, "
    "job_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ARTIFACT = (
    "INSERT INTO results_artifact (job_id, name, kind, sha256, size, file, stored_at) "
    "VALUES (?, 'report.json.gz', 'report', ?, 2000, 'none', ?)"
)
