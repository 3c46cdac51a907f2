"""The boxes of the workers: each with its wire, its small disk, its clock."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.chaos.disks import Disk
from tests.chaos.processes import ROOT, Process

DISK_MB = 160  # a worker wants 64 free
GRACE_S = 15.0
_CLOCK = Path(__file__).with_name("clock.c")


def clock_possible() -> bool:
    """Whether a compiler is here for the library that shifts a clock."""
    return shutil.which("cc") is not None


class Box:
    """A machine with one worker, as far as one machine can pretend to be several."""

    def __init__(self, number: int, folder: Path, *, inside: list[str], site: str, broker: str, token: str):
        self.number = number
        self.folder = folder / f"box{number}"
        self.disk = Disk(self.folder / "work", DISK_MB)
        self.slowest_stop_s = 0.0
        self.stops_late = 0
        self.chaos = self.folder / "chaos"
        self.chaos.mkdir()
        self._met = 0
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "PERFSITE_SITE": site,
            "PERFSITE_TOKEN": token,
            "PERFSITE_WORK": str(self.folder / "work"),
            "PERFSITE_LOCKS": str(self.folder / "locks"),
            "PERFSITE_PRELOAD": "0",
            "PERFSITE_POLL": "5",
            "PERFSITE_CHAOS": str(self.chaos),
            "REDIS_URL": broker,
        }
        command = [*inside, sys.executable, "-m", "tests.chaos.stand_in"]
        command += ["--name", f"box{number}", "--device", "cpu"]
        self.worker = Process(command, environment, self.folder / "worker.log")

    def child_kill(self, rng: random.Random) -> bool:
        """SIGKILL to the zygote or the child below it; False when there is none now."""
        try:
            family = psutil.Process(self.worker.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return False
        if not family:
            return False
        os.kill(rng.choice(family).pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        """SIGTERM, as an upgrade does; how long it took is noted."""
        started = time.monotonic()
        self.stops_late += not self.worker.terminate(GRACE_S)
        self.slowest_stop_s = max(self.slowest_stop_s, time.monotonic() - started)

    def clock_shift(self, seconds: int) -> None:
        """Start the worker again with its clock off by so much."""
        library = self.folder / "clock.so"
        if not library.exists():
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, _CLOCK], check=True)
        self.worker.kill()
        self.worker.environment.update({"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(seconds)})
        self.worker.start()

    def report_fault(self, name: str) -> bool:
        """Let the next report meet a fault; False while another one waits for a report."""
        if (self.chaos / "next").exists():
            return False
        half = self.chaos / "half"
        half.write_text(name)
        half.rename(self.chaos / "next")
        return True

    def met(self) -> list[str]:
        """The faults that reports met since the last call."""
        path = self.chaos / "met"
        lines = path.read_text().splitlines() if path.exists() else []
        fresh, self._met = lines[self._met :], len(lines)
        return fresh

    def close(self) -> None:
        """End the worker and unmount its disk."""
        self.worker.kill()
        self.disk.close()
