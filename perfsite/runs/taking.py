# ruff: noqa: S608 - the statements are put together from words of our own
"""The best queued job and the attempt at it, taken in one step that no two workers can make for one job.

Written as SQL because a fleet asks for little else: on PostgreSQL one statement that modifies four tables,
on SQLite, where one writes at a time, the same parts one after the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from perfsite.runs.models import Attempt, Worker

_TRIES = 3

# a worker that still holds an attempt must lose it first
_BEST = """
    SELECT id, run_id,
        1 + COALESCE((SELECT MAX(number) FROM runs_attempt WHERE job_id = runs_job.id), 0) AS number
    FROM runs_job WHERE state = 'queued' AND device_class = %s AND pin IN ('', %s)
    AND NOT EXISTS (SELECT 1 FROM runs_attempt WHERE worker_id = %s AND state = 'running')
    ORDER BY priority DESC, id LIMIT 1"""
_TAKE = """
    UPDATE runs_job SET state = 'running', tries = tries + 1, started_at = %s, progress = '{}', log = ''"""
_RUNS = "UPDATE runs_run SET state = 'running', ended_at = NULL"
_DROP = "DELETE FROM runs_pair"  # two devices are never mixed in one comparison
_OPEN = """
    INSERT INTO runs_attempt
        (state, reason, worker_id, token, claimed_at, heartbeat_at, lease_expires_at, job_id, number)"""

_AT_ONCE = f"""
    WITH best AS ({_BEST} FOR UPDATE SKIP LOCKED),
    taken AS ({_TAKE} FROM best WHERE runs_job.id = best.id),
    runs AS ({_RUNS} FROM best WHERE runs_run.id = best.run_id AND runs_run.state <> 'running'),
    dropped AS ({_DROP} USING best WHERE runs_pair.job_id = best.id AND device_uuid <> %s)
    {_OPEN} SELECT 'running', '', %s, %s, %s, %s, %s, id, number FROM best RETURNING id, job_id, number"""


def best_take(*, worker: Worker) -> Attempt | None:
    """The attempt at the best job that `worker` may take; None when there is none, or it holds one."""
    now = timezone.now()
    attempt = Attempt(
        worker=worker,
        token=uuid.uuid4(),
        claimed_at=now,
        heartbeat_at=now,
        lease_expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
    )
    take = _at_once if connection.features.has_select_for_update_skip_locked else _by_parts
    with connection.cursor() as cursor:
        row = take(cursor, worker, _told(attempt))
    if row is None:
        return None
    attempt.pk, attempt.job_id, attempt.number = row
    attempt._state.adding, attempt._state.db = False, connection.alias
    return attempt


def _told(attempt: Attempt) -> list[Any]:
    """What the statement that opens an attempt is told, as this database wants it."""
    fields = {field.attname: field for field in Attempt._meta.concrete_fields}
    names = ("worker_id", "token", "claimed_at", "heartbeat_at", "lease_expires_at")
    return [fields[name].get_db_prep_save(getattr(attempt, name), connection) for name in names]


def _at_once(cursor: Any, worker: Worker, told: Sequence[Any]) -> Any:
    wanted = (worker.device_class, worker.device_uuid, worker.pk)
    for _ in range(_TRIES):
        try:
            cursor.execute(_AT_ONCE, [*wanted, told[2], worker.device_uuid, *told])
            return cursor.fetchone()
        except IntegrityError:  # since this statement began the job was taken and given back
            continue
    return None


def _by_parts(cursor: Any, worker: Worker, told: Sequence[Any]) -> Any:
    wanted = (worker.device_class, worker.device_uuid, worker.pk)
    cursor.execute(_BEST, wanted)
    if cursor.fetchone() is None:  # an empty queue takes no lock
        return None
    with transaction.atomic():
        cursor.execute(_BEST, wanted)
        best = cursor.fetchone()
        if best is None:
            return None
        job, run, number = best
        cursor.execute(f"{_TAKE} WHERE id = %s", [told[2], job])
        cursor.execute(f"{_RUNS} WHERE id = %s AND state <> 'running'", [run])
        cursor.execute(f"{_DROP} WHERE job_id = %s AND device_uuid <> %s", [job, worker.device_uuid])
        cursor.execute(f"{_OPEN} VALUES ('running', '', %s, %s, %s, %s, %s, %s, %s)", [*told, job, number])
        return cursor.lastrowid, job, number
