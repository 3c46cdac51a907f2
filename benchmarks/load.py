"""Who used the processor while something was measured: this process, others, the hypervisor."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # idle and iowait, proc(5)
_STEAL = 7
_COUNTED = 8  # user nice system idle iowait irq softirq steal; guest time is already in user


@dataclass(frozen=True)
class LoadMark:
    """The counters at one moment, in seconds; `busy_s` and `stolen_s` over the cores we may use."""

    wall_s: float
    own_s: float
    busy_s: float
    stolen_s: float


@dataclass(frozen=True)
class Load:
    """Shares of the cores' time between two marks, 0 to 1."""

    own: float
    others: float
    stolen: float


def load_mark() -> LoadMark | None:
    """The counters now; None where the kernel does not tell them."""
    try:
        text = _STAT.read_text()
        cores = os.sched_getaffinity(0)
    except (OSError, AttributeError):
        return None
    tick = os.sysconf("SC_CLK_TCK")
    busy = stolen = 0
    for line in text.splitlines():
        name, *fields = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in cores:
            ticks = [int(field) for field in fields[:_COUNTED]]
            busy += sum(ticks) - sum(ticks[index] for index in _IDLE)
            stolen += ticks[_STEAL]
    return LoadMark(time.perf_counter(), time.process_time(), busy / tick, stolen / tick)


def load_between(before: LoadMark | None, after: LoadMark | None, cores: int) -> Load | None:
    """Who used the time of `cores` cores; the counters tick every 10 ms, so short windows are coarse."""
    if before is None or after is None or after.wall_s <= before.wall_s:
        return None
    span = (after.wall_s - before.wall_s) * cores
    own = after.own_s - before.own_s
    stolen = after.stolen_s - before.stolen_s
    others = max(0.0, after.busy_s - before.busy_s - stolen - own)
    return Load(own=own / span, others=others / span, stolen=stolen / span)
