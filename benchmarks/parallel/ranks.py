"""Several processes that work together, one per GPU: started, watched and ended as one.

Each is a fresh interpreter that sees the GPUs it is given and every other variable of this process's
environment, NCCL's among them, unchanged.  When one fails, the others end; none outlives its parent.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.errors import BenchmarkError, MeasureError
from benchmarks.isolation import isolated

Answer = TypeVar("Answer")

MEET_POLL_S = 0.002
GRACE_S = 1.0  # for the rank whose own fault it was to tell, after another has noticed


@dataclass(frozen=True)
class Rank:
    """One process of `world`: its `number` from 0, and the folder in which they meet."""

    number: int
    world: int
    folder: Path

    def meet(self, name: str, most_s: float) -> None:
        """Return when every rank has come to the meeting called `name`.

        Raises:
            MeasureError: one did not come within `most_s` seconds.
        """
        (self.folder / f"{name}-{self.number}").touch()
        missing = set(range(self.world))
        end = time.monotonic() + most_s
        while missing := {one for one in missing if not (self.folder / f"{name}-{one}").exists()}:
            if time.monotonic() > end:
                raise MeasureError(
                    f"process {min(missing)} of {self.world} did not come to the meeting {name!r} within "
                    f"{most_s:.0f} s; look for what it waits for, or measure fewer GPUs"
                )
            time.sleep(MEET_POLL_S)


class _AbandonedError(MeasureError):
    """Another rank failed or the time was over; this one was ended for it."""


def ranks_run(
    call: Callable[..., Answer], *arguments: Any, visible: Sequence[str | None], most_s: float
) -> list[Answer]:
    """What `call(rank, *arguments)` returns in each of `len(visible)` processes, in their order.

    `visible` are their values of CUDA_VISIBLE_DEVICES, None to leave it as it is.

    Raises:
        BenchmarkError: what the first rank to fail raised, or a MeasureError when one died or `most_s`
            seconds passed; no process is left.
    """
    stop = threading.Event()
    end = time.monotonic() + most_s

    def watch(_pid: int) -> None:
        if stop.is_set():
            raise _AbandonedError("ended because another process of the group failed")
        if time.monotonic() > end:
            raise MeasureError(f"the processes were not done after {most_s:.0f} s; they were ended")

    def work(rank: Rank, devices: str | None) -> Answer:
        environment = {} if devices is None else {"CUDA_VISIBLE_DEVICES": devices}
        return isolated(call, rank, *arguments, meanwhile=watch, every_s=0.05, environment=environment)

    world = len(visible)
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder, ThreadPoolExecutor(world) as pool:
        try:
            running = [
                pool.submit(work, Rank(number, world, Path(folder)), devices)
                for number, devices in enumerate(visible)
            ]
            _, pending = wait(running, return_when=FIRST_EXCEPTION)
            if pending:
                wait(pending, timeout=GRACE_S)
        finally:
            stop.set()
    return _answers(running)


def _answers(running: Sequence[Future[Answer]]) -> list[Answer]:
    errors = [error for one in running if (error := one.exception()) is not None]
    told = [
        error for error in errors if isinstance(error, BenchmarkError) and type(error) is not MeasureError
    ]
    own = [error for error in (*told, *errors) if not isinstance(error, _AbandonedError)]
    for error in (*own, *errors):
        raise error
    return [one.result() for one in running]
