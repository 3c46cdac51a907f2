"""Children of a real zygote, run one after the other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from workers.child import ChildLog, Ending, Supervision
from workers.messages import Limits
from workers.nursery import Nursery


class Runs:
    """Runs entries of `child_entries` in children of one nursery and keeps what they said."""

    def __init__(
        self,
        folder: Path,
        preload: tuple[str, ...] = (),
        cores: tuple[int, ...] = (),
        sandbox: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.nursery = Nursery(home=folder / "zygote", preload=preload, cores=cores, sandbox=sandbox)
        self.events: list[dict] = []
        self.log = ""
        self._number = count()

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self.nursery.close()

    def run(
        self,
        entry: str,
        *,
        wall_clock_s: float = 30,
        resident_bytes: int = 4 * 2**30,
        stop: Callable[[], bool] = lambda: False,
        log_limit: int = 1 << 20,
        files: dict[str, str] | None = None,
    ) -> Ending:
        home = self.folder / f"run{next(self._number)}"
        home.mkdir()
        for name, content in (files or {}).items():
            (home / name).write_text(content)
        self.events = []
        log = ChildLog(home / "log.txt", log_limit)
        limits = Limits(wall_clock_s=wall_clock_s, resident_bytes=resident_bytes)
        try:
            supervision = Supervision(self.nursery, limits, log, self.events.append, stop)
            return supervision.run(folder=home, entry=f"tests.workers.child_entries:{entry}")
        finally:
            log.close()
            self.log = log.path.read_text()
            self.home = home
