"""One run: boxes and servers up, commits pushed bit by bit, faults at random, until every job has ended."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from django.db import Error, connection

from tests.chaos.audit import audit_make, jobs_ended, swept_at
from tests.chaos.boxes import Box
from tests.chaos.faults import FAULTS
from tests.chaos.servers import Servers, Terms, wait_for
from tests.chaos.stand_in_faults import REPORT_FAULTS
from tests.chaos.wires import Wires
from tests.e2e.service import Watched

PER_PUSH = 10
_HANGS_EVERY, _EATS_EVERY = 8, 4
_MODEL = '[models.{name}]\ncatalogue = "tiny-cnn"\n'
_CONFIG = """version = 1
[limits]
wall_clock = 10
memory_gib = 0.25
[defaults]
runners = ["torch"]
suites = ["latency"]
duration = 0.1
"""


@dataclass
class Run:
    """A cut wire lasts `cut_s`, a full disk or a dead server `outage_s`; `pause_s` is between faults.

    Each fault strikes `rounds` times, or as long as there are jobs (0).
    """

    folder: Path
    servers: Servers
    wires: Wires | None
    terms: Terms
    rng: random.Random
    outage_s: float
    cut_s: float
    pause_s: float
    rounds: int
    say: Callable[[str], None]
    boxes: list[Box] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    windows: list[tuple[float, float]] = field(default_factory=list)
    _broken: list[tuple[float, float]] = field(default_factory=list)
    _mends: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)

    def carry_out(self, *, jobs: int, workers: int, limit_s: float) -> dict[str, Any]:
        """Everything, from the first box to the audit."""
        started = time.monotonic()
        token = self.servers.manage("token", "add", "chaos", "--purpose", "worker").strip()
        for number in range(workers):
            inside = self.wires.box_add(number) if self.wires else []
            box = Box(number, self.folder, inside=inside, site=self.servers.url, token=token,
                      broker=self.servers.broker)  # fmt: skip
            self.boxes.append(box)
            box.worker.start()
        wait_for(lambda: all(self._ready(box) for box in self.boxes), "the workers")
        ended = self._rage(self._pushes(jobs), jobs, started + limit_s)
        self._mend_all()
        self._faults_met()
        self.windows += [(began, time.time()) for began, _ in self._broken]
        result = audit_make(windows=self.windows)
        self.faults["child_hung"] = result["failed"].get("timeout", 0)
        self.faults["child_ate_memory"] = result["failed"].get("memory", 0)
        return {
            **result,
            "faults": {name: self.faults[name] for name in sorted({*FAULTS, *self.faults})},
            "impossible": [name for name, fault in FAULTS.items() if not fault.possible(self)],
            "slowest_stop_s": round(max(box.slowest_stop_s for box in self.boxes), 1),
            "stops_late": sum(box.stops_late for box in self.boxes),
            "lease_s": self.terms.lease,
            "sweep_s": self.terms.sweep,
            "held_longest_s": round(self.terms.lease + result["longest_overdue_s"], 1),
            "may_be_held_s": self.terms.held_most,
            "seconds": round(time.monotonic() - started, 1),
            "in_time": ended,
        }

    @staticmethod
    def _ready(box: Box) -> bool:
        log = box.folder / "worker.log"
        return log.exists() and b"ready box" in log.read_bytes()

    def _pushes(self, jobs: int) -> list[dict[str, Any]]:
        """The deliveries to come, as many models in each commit as make `jobs` jobs in all."""
        watched = Watched(self.servers, "chaos")
        requests = []
        for first in range(0, jobs, PER_PUSH):
            names = [self._name(number) for number in range(first, min(first + PER_PUSH, jobs))]
            # a commit that changes nothing is not measured
            config = f"# push {first}\n{_CONFIG}" + "".join(_MODEL.format(name=name) for name in names)
            sha = watched.commit(f"push {first}", perfsite_DOT_toml=config)
            requests.append(watched.push_request(sha))
        return requests

    @staticmethod
    def _name(number: int) -> str:
        push, place = divmod(number, PER_PUSH)
        if place == 3 and push % _HANGS_EVERY == 0:
            return "hang"
        if place == 6 and push % _EATS_EVERY == 0:
            return "eater"
        return f"quick{place}"

    def _rage(self, pushes: list[dict[str, Any]], jobs: int, deadline: float) -> bool:
        """Push and break things until all jobs have ended; False when the time is up first."""
        possible = [name for name, fault in FAULTS.items() if fault.possible(self)]
        spread = max(1, len(possible) // max(1, len(pushes)))
        deck: list[str] = []
        turn = ended = dealt = 0
        while ended < jobs or pushes:
            if time.monotonic() > deadline:
                self.say(f"time is up: {ended} of {jobs} jobs ended, {len(pushes)} pushes to go")
                return False
            if not deck and (not self.rounds or dealt < self.rounds):
                deck, dealt = self.rng.sample(possible, len(possible)), dealt + 1
            if pushes and turn % spread == 0 and self._delivered(pushes[0]):
                pushes.pop(0)
            turn += 1
            if deck and not self._strike(deck[-1]):
                deck.insert(0, deck[-1])  # not now: later
            deck = deck[:-1]
            time.sleep(self.rng.uniform(0.5, 1.5) * self.pause_s)
            self._tend()
            ended = self._ended(ended)
        return True

    def _delivered(self, request: dict[str, Any]) -> bool:
        """Whether the site took a delivery; a forge sends it again, under the same id."""
        try:
            return httpx.post(**request, timeout=10).status_code in (200, 202)
        except httpx.HTTPError:
            return False

    def _strike(self, name: str) -> bool:
        fault, began = FAULTS[name], time.time()
        undo = fault.strike(self, self.rng)
        if undo is False:
            return False
        if name not in REPORT_FAULTS:  # those are counted when a report meets them
            self.faults[name] += 1
        longest = self.cut_s if name == "network_cut" else self.outage_s
        lasts = self.rng.uniform(0.5, 1.0) * longest if callable(undo) else 0.0
        if fault.repair:
            self._broken.append((began, time.time() + lasts))
        if callable(undo):
            self._mends.append((time.monotonic() + lasts, name, undo))
        return True

    def _tend(self) -> None:
        """Mend what is due, and start again whatever died and is not meant to be away."""
        now = time.monotonic()
        for row in [row for row in self._mends if row[0] <= now]:
            self._mends.remove(row)
            row[2]()
        away = {name for _, name, _ in self._mends}
        for name, process in (
            ("redis_killed", self.servers.redis),
            ("site_killed", self.servers.site),
            ("schedule_killed", self.servers.schedule),
        ):
            if name not in away:
                process.start()
        for box in self.boxes:
            box.worker.start()
        self._faults_met()

    def _mend_all(self) -> None:
        for _, _, undo in self._mends:
            undo()
        self._mends.clear()

    def _faults_met(self) -> None:
        for box in self.boxes:
            self.faults.update(box.met())

    def _ended(self, before: int) -> int:
        """How many jobs have ended; what was known before while the database is away."""
        try:
            self._windows_close()
            return jobs_ended()
        except Error:
            connection.close()
            return before

    def _windows_close(self) -> None:
        """A window ends with the first sweep after the mend, and the term a site gives that came up."""
        swept = swept_at()
        for began, mended in [row for row in self._broken if row[1] < swept]:
            self._broken.remove((began, mended))
            self.windows.append((began, swept + self.terms.lease + self.terms.sweep))


def folder_close(folder: Path) -> None:
    """Remove what a run left, mounted disks aside."""
    shutil.rmtree(folder, ignore_errors=True)
