"""Processes that do the same at the very same moment, on one real database file.

Each racer is one process for all rounds, and so is the referee that prepares and looks: starting a
process takes far longer than the race.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RACERS = 4
_PATIENCE_S = 240.0


class Race:
    """The test's side: `begin` lets all racers take one step at once, `ask` has the referee do something.

    On a database file in `folder`, or on the server's database that `database` (a URL) names.
    """

    def __init__(self, module: str, folder: Path, *, database: str = "") -> None:
        kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
        if database:
            kept["DATABASE_URL"] = database
        self._environment = kept | {
            "PERFSITE_DATA": str(folder),
            "DJANGO_SETTINGS_MODULE": "perfsite.settings",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "PERFSITE_LOG": "ERROR",
        }
        self._module, self._folder, self._round = module, folder, 0
        self._processes = [self._start("referee"), *(self._start("racer") for _ in range(RACERS))]

    def ask(self, word: str) -> object:
        """Have the referee do what `word` names; returns what it found."""
        return self._tell(self._processes[0], word)

    def begin(self) -> None:
        """One round: every racer waits for the same file, then takes its step."""
        self._round += 1
        go = self._folder / f"go-{self._round}"
        for racer in self._processes[1:]:
            self._send(racer, str(go))
        go.touch()
        for racer in self._processes[1:]:
            self._hear(racer)

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def _start(self, role: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", self._module, role], cwd=ROOT, env=self._environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _tell(self, process: subprocess.Popen[str], word: str) -> object:
        self._send(process, word)
        return self._hear(process)

    def _send(self, process: subprocess.Popen[str], word: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n")
        process.stdin.flush()

    def _hear(self, process: subprocess.Popen[str]) -> object:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, errors = process.communicate(timeout=_PATIENCE_S)
            raise AssertionError(f"a process of the race died: {errors}")
        return json.loads(line)


def serve(step: Callable[[], object], deeds: Mapping[str, Callable[[], object]]) -> None:
    """The processes' side: a racer takes `step` for every file it is told, a referee does `deeds` by name."""
    is_racer = sys.argv[1] == "racer"
    for line in sys.stdin:
        word = line.strip()
        if is_racer:
            _file_wait(Path(word))
            step()
            found = None
        else:
            found = deeds[word]()
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


def _file_wait(path: Path) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not path.exists():
        if time.monotonic() > ends:
            raise TimeoutError(f"{path} never came")
        time.sleep(0.0005)
