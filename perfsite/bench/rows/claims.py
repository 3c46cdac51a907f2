"""Claims per second while 100 workers want one of 10,000 queued jobs, and none is given twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from django.db import connection

from perfsite.bench.driver import driver_open, marked
from perfsite.bench.load import in_turns
from perfsite.bench.table import Row, row_at_least
from perfsite.bench.world import jobs_made, project_made, workers_made
from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import Attempt, Worker
from perfsite.runs.queue import job_claim

LEAST = 0.5
WORKERS = 100
QUEUED = 10_000
_MOST_CONNECTIONS = 32
_SPEC = {"source": {"kind": "catalogue", "ref": "tiny-cnn"}, "cases": []}


def claims_measure(seconds: float) -> list[Row]:
    """The row."""
    classes = {"site": "bench-claims", "floor": "bench-floor"}
    for name, device_class in classes.items():
        jobs_made(project_made(f"claims-{name}"), QUEUED, device_class=device_class, spec=_SPEC)
    workers = workers_made(WORKERS, classes["site"])
    threads = _connections_free()
    floor = _Floor(classes["floor"])
    sides = {
        "site": lambda span: _rate(span, threads, lambda number: _claims(workers[number::threads])),
        "floor": lambda span: _rate(span, threads, floor.claims),
    }
    rates = in_turns(sides, seconds=seconds)
    _check_once(classes["site"], floor)
    note = f"claims: {WORKERS} workers over {threads} connections at once, {QUEUED:,} queued jobs a side"
    return [
        row_at_least(
            "claims under contention", rates["site"], "1/s", floor=rates["floor"], least=LEAST, note=note
        )
    ]


Claims = Callable[[int], AbstractContextManager[Callable[[], bool]]]


def _rate(span: float, threads: int, claims: Claims) -> float:
    """Claims a second, all threads together; a thread leaves when the queue is empty."""
    gate = threading.Barrier(threads + 1, timeout=60)
    until = time.perf_counter() + 3600

    def work(number: int) -> int:
        done = 0
        try:
            with claims(number) as claim:
                gate.wait()
                while time.perf_counter() < until and claim():
                    done += 1
        except BaseException:
            gate.abort()  # nobody waits for one that will not come
            raise
        return done

    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(work, number) for number in range(threads)]
        try:
            gate.wait()
        except threading.BrokenBarrierError:
            raise PerfsiteError(f"{threads} connections at once: {tasks[0].exception()}") from None
        started = time.perf_counter()
        until = started + span
        done = sum(task.result() for task in tasks)
    return done / (time.perf_counter() - started)


@contextmanager
def _claims(workers: list[Worker]) -> Iterator[Callable[[], bool]]:
    """The service's claim, by these workers in turns."""
    turn = 0

    def claim() -> bool:
        nonlocal turn
        turn += 1
        return job_claim(worker=workers[turn % len(workers)]) is not None

    connection.ensure_connection()
    try:
        yield claim
    finally:
        connection.close()


class _Floor:
    """One UPDATE ... RETURNING, and nothing else of what a claim is."""

    def __init__(self, device_class: str) -> None:
        self.taken: list[int] = []
        skip = " FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
        self._sql = marked(
            "UPDATE runs_job SET state = 'running' WHERE id = (SELECT id FROM runs_job WHERE "  # noqa: S608
            f"state = 'queued' AND device_class = ? ORDER BY priority DESC, id LIMIT 1{skip}) RETURNING id"
        )
        self._device_class = device_class

    @contextmanager
    def claims(self, _number: int) -> Iterator[Callable[[], bool]]:
        """A claim over a connection of its own."""

        def claim() -> bool:
            row = plain.execute(self._sql, (self._device_class,)).fetchone()
            if row is not None:
                self.taken.append(row[0])
            return row is not None

        with driver_open() as plain:
            yield claim


def _check_once(device_class: str, floor: _Floor) -> None:
    claimed = list(Attempt.objects.filter(worker__device_class=device_class).values_list("job_id", "number"))
    first = [job for job, number in claimed if number == 1]
    if len(set(first)) != len(first) or len(set(claimed)) != len(claimed):
        raise PerfsiteError("a job was claimed twice at once")
    if len(set(floor.taken)) != len(floor.taken):
        raise PerfsiteError("the floor claimed a job twice")


def _connections_free() -> int:
    """Half of the connections that the server has to spare: others may use it, and so does the site."""
    if connection.vendor != "postgresql":
        return _MOST_CONNECTIONS
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity")
        return max(2, min(_MOST_CONNECTIONS, int(cursor.fetchone()[0]) // 2))
