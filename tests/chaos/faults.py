"""The faults, one row each: what is broken, and what mends it after a while."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from celery import Celery

from tests.chaos.boxes import Box, clock_possible
from tests.chaos.stand_in_faults import REPORT_FAULTS
from workers.messages import WAKE_PREFIX

if TYPE_CHECKING:
    from tests.chaos.run import Run

Undo = Callable[[], None]
DOUBLED = 5


@dataclass(frozen=True)
class Fault:
    """`strike` breaks something; it returns what mends it after the outage, or None, or False: not now."""

    strike: Callable[[Run, random.Random], Undo | bool | None]
    possible: Callable[[Run], bool] = lambda _run: True
    repair: bool = False  # what it breaks is needed to take jobs from the dead


def _worker_killed(run: Run, rng: random.Random) -> None:
    _box(run, rng).worker.kill()


def _child_killed(run: Run, rng: random.Random) -> bool | None:
    return None if _box(run, rng).child_kill(rng) else False


def _worker_terminated(run: Run, rng: random.Random) -> None:
    _box(run, rng).stop()


def _clock_off(run: Run, rng: random.Random) -> None:
    _box(run, rng).clock_shift(rng.choice((-600, 600)))


def _network_cut(run: Run, rng: random.Random) -> Undo:
    number = _box(run, rng).number
    assert run.wires
    run.wires.cut(number)
    return lambda: run.wires.mend(number)  # type: ignore[union-attr]


def _worker_disk_full(run: Run, rng: random.Random) -> Undo:
    box = _box(run, rng)
    box.disk.fill()
    return box.disk.free


def _site_disk_full(run: Run, rng: random.Random) -> Undo:
    run.servers.disk.fill()
    return run.servers.disk.free


def _redis_flushed(run: Run, rng: random.Random) -> bool | None:
    try:
        run.servers.redis_client().flushall()
    except redis.RedisError:
        return False  # it is away just now
    return None


def _redis_killed(run: Run, rng: random.Random) -> Undo:
    run.servers.redis.kill()
    return run.servers.redis.start


def _site_killed(run: Run, rng: random.Random) -> Undo:
    run.servers.site.kill()
    return run.servers.site.start


def _schedule_killed(run: Run, rng: random.Random) -> Undo:
    run.servers.schedule.kill()
    return run.servers.schedule.start


def _postgres_restarted(run: Run, rng: random.Random) -> None:
    assert run.servers.postgres
    run.servers.postgres.stop()
    run.servers.postgres.start()


def _sender(run: Run, prefix: str) -> Celery:
    """Sends to queues whose keys begin so; gives up where it would wait for Redis, and Redis for it."""
    sender = Celery(broker=run.servers.broker, set_as_current=False)
    sender.conf.broker_connection_timeout = 1
    sender.conf.broker_transport_options = {
        "global_keyprefix": prefix,
        "socket_connect_timeout": 1, "socket_timeout": 2, "retry_on_timeout": False, "max_retries": 0,
    }  # fmt: skip
    return sender


def _messages_doubled(run: Run, rng: random.Random) -> bool | None:
    site, wakes = _sender(run, ""), _sender(run, WAKE_PREFIX)
    if not run.servers.redis_answers():
        return False
    try:
        for sender, task, queue in (
            (wakes, "workers.wake", "gpu.cpu"), (site, "runs.sweep", "site"), (site, "runs.plan", "site"),
        ):  # fmt: skip
            for _ in range(DOUBLED):
                sender.send_task(task, queue=queue, ignore_result=True, retry=False)
    except Exception:  # Redis is away just now, which kombu tells in many ways
        return False
    return None


def _on_report(name: str) -> Callable[[Run, random.Random], bool | None]:
    def strike(run: Run, rng: random.Random) -> bool | None:
        return None if _box(run, rng).report_fault(name) else False

    return strike


def _box(run: Run, rng: random.Random) -> Box:
    return rng.choice(run.boxes)


def _wired(run: Run) -> bool:
    return run.wires is not None


def _mounted(run: Run) -> bool:
    return run.servers.disk.mounted


FAULTS: dict[str, Fault] = {
    "worker_killed": Fault(_worker_killed),
    "child_killed": Fault(_child_killed),
    "worker_terminated": Fault(_worker_terminated),
    "clock_off": Fault(_clock_off, lambda _run: clock_possible()),
    "network_cut": Fault(_network_cut, _wired),
    "worker_disk_full": Fault(_worker_disk_full, _mounted),
    "site_disk_full": Fault(_site_disk_full, _mounted),
    "redis_flushed": Fault(_redis_flushed),
    "redis_killed": Fault(_redis_killed, repair=True),
    "site_killed": Fault(_site_killed, repair=True),
    "schedule_killed": Fault(_schedule_killed, repair=True),
    "postgres_restarted": Fault(
        _postgres_restarted, lambda run: run.servers.postgres is not None, repair=True
    ),
    "messages_doubled": Fault(_messages_doubled),
    **{name: Fault(_on_report(name)) for name in REPORT_FAULTS},
}
"""Beside these, some models hang in native code or eat memory: `child_hung`, `child_ate_memory`."""
