"""Heartbeats kept per second, beside the three updates that one is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

from perfsite.bench.driver import begin, driver_open, marked
from perfsite.bench.load import in_turns
from perfsite.bench.table import Row, row_at_least
from perfsite.bench.world import attempts_made, jobs_made, project_made, workers_made
from perfsite.runs.lease import attempt_progress
from perfsite.runs.models import Attempt
from workers.messages import Progress

LEAST = 0.25
"""Our own aim; the other figures' are the service's."""
_RUNNING = 200
_CLASS = "bench-heartbeats"
_SPEC = {"source": {"kind": "catalogue", "ref": "tiny-cnn"}, "cases": []}


def heartbeats_measure(seconds: float) -> list[Row]:
    """The row."""
    (worker,) = workers_made(1, _CLASS)
    jobs = jobs_made(project_made("heartbeats"), _RUNNING, device_class=_CLASS, spec=_SPEC)
    attempts = itertools.cycle(attempts_made(jobs, worker))
    told = Progress(stage="latency", fraction=0.5, log="x" * 2000)
    with driver_open() as plain:

        def floor(attempt: Attempt) -> None:
            now = datetime.now(UTC).isoformat(" ")
            cursor = plain.cursor()
            cursor.execute(begin())
            for sql, values in (
                ("UPDATE runs_attempt SET heartbeat_at = ?, lease_expires_at = ? WHERE id = ?", (now, now)),
                ("UPDATE runs_job SET progress = ?, log = ? WHERE id = ?", ("{}", told.log)),
                ("UPDATE runs_worker SET last_seen = ?, telemetry = ? WHERE id = ?", (now, "{}")),
            ):
                table_id = {"runs_a": attempt.pk, "runs_j": attempt.job_id}.get(sql[7:13], worker.pk)
                cursor.execute(marked(sql), (*values, table_id))
            cursor.execute("COMMIT")

        def rate(span: float, beat: Callable[[Attempt], object]) -> float:
            started, done = time.perf_counter(), 0
            while time.perf_counter() - started < span:
                beat(next(attempts))
                done += 1
            return done / (time.perf_counter() - started)

        def site(attempt: Attempt) -> None:
            attempt_progress(token=attempt.token, progress=told)

        rates = in_turns(
            {"site": lambda span: rate(span, site), "floor": lambda span: rate(span, floor)}, seconds=seconds
        )
    return [row_at_least("heartbeats kept", rates["site"], "1/s", floor=rates["floor"], least=LEAST)]
