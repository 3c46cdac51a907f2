"""Claims per second while 100 workers want one of 10,000 queued jobs, and none is given twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from django.db import connection
from django.db.models import Sum

from perfsite.bench.driver import driver_open, marked
from perfsite.bench.load import in_turns
from perfsite.bench.table import Row, row_at_least
from perfsite.bench.world import jobs_made, project_made, workers_made
from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import Attempt, Job, Worker
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

    def site_rate(span: float) -> float:
        _requeue(classes["site"])
        return _rate(span, threads, lambda number: _claims(workers[number::threads]))

    def floor_rate(span: float) -> float:
        floor.check_once()
        _requeue(classes["floor"])
        return _rate(span, threads, floor.claims)

    sides: dict[str, Callable[[float], float]] = {"site": site_rate, "floor": floor_rate}
    rates = in_turns(sides, seconds=seconds)
    floor.check_once()
    _check_once(classes["site"])
    note = f"claims: {WORKERS} workers over {threads} connections at once, {QUEUED:,} queued jobs a side"
    return [
        row_at_least(
            "claims under contention", rates["site"], "1/s", floor=rates["floor"], least=LEAST, note=note
        )
    ]


Claims = Callable[[int], AbstractContextManager[Callable[[], float | None]]]
"""Opens a thread's claim, which returns the seconds that it took, None when nothing is queued."""


def _rate(span: float, threads: int, claims: Claims) -> float:
    """Claims a second, all threads together; a thread leaves when the queue is empty."""
    gate = threading.Barrier(threads + 1, timeout=60)
    until = time.perf_counter() + 3600

    def work(number: int) -> float:
        done, spent = 0, 0.0
        try:
            with claims(number) as claim:
                gate.wait()
                while time.perf_counter() < until and (took := claim()) is not None:
                    done, spent = done + 1, spent + took
        except BaseException:
            gate.abort()  # nobody waits for one that will not come
            raise
        return done / spent if done else 0.0

    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(work, number) for number in range(threads)]
        try:
            gate.wait()
        except threading.BrokenBarrierError:
            raise PerfsiteError(f"{threads} connections at once: {tasks[0].exception()}") from None
        until = time.perf_counter() + span
        return sum(task.result() for task in tasks)


@contextmanager
def _claims(workers: list[Worker]) -> Iterator[Callable[[], float | None]]:
    """The service's claim, by these workers in turns; each has ended what it claimed before, untimed."""
    turn = 0
    held: dict[int, int] = {}

    def claim() -> float | None:
        nonlocal turn
        turn += 1
        worker = workers[turn % len(workers)]
        Attempt.objects.filter(pk=held.get(worker.pk, 0)).update(state="given_back")
        started = time.perf_counter()
        attempt = job_claim(worker=worker)
        if attempt is None:
            return None
        took = time.perf_counter() - started
        held[worker.pk] = attempt.pk
        return took

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
    def claims(self, _number: int) -> Iterator[Callable[[], float | None]]:
        """A claim over a connection of its own."""

        def claim() -> float | None:
            started = time.perf_counter()
            row = plain.execute(self._sql, (self._device_class,)).fetchone()
            if row is None:
                return None
            took = time.perf_counter() - started
            self.taken.append(row[0])
            return took

        with driver_open() as plain:
            yield claim

    def check_once(self) -> None:
        """Nothing was given twice since the last look."""
        if len(set(self.taken)) != len(self.taken):
            raise PerfsiteError("the floor claimed a job twice")
        self.taken.clear()


def _requeue(device_class: str) -> None:
    """What was claimed in an earlier turn waits again, so that each turn begins with all jobs queued."""
    Attempt.objects.filter(worker__device_class=device_class, state="running").update(state="given_back")
    Job.objects.filter(device_class=device_class).update(state="queued")


def _check_once(device_class: str) -> None:
    claimed = list(Attempt.objects.filter(worker__device_class=device_class).values_list("job_id", "number"))
    tries = Job.objects.filter(device_class=device_class).aggregate(tries=Sum("tries"))["tries"]
    if len(set(claimed)) != len(claimed) or len(claimed) != tries:
        raise PerfsiteError(
            f"{len(claimed)} attempts at jobs that were taken {tries} times: one was taken twice"
        )


def _connections_free() -> int:
    """Half of the connections that the server has to spare: others may use it, and so does the site."""
    if connection.vendor != "postgresql":
        return _MOST_CONNECTIONS
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int - count(*) FROM pg_stat_activity")
        return max(2, min(_MOST_CONNECTIONS, int(cursor.fetchone()[0]) // 2))
