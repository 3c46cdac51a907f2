"""The processes of the embedded home: started in order, restarted when they die, stopped in reverse."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from perfsite.core.errors import PerfsiteError

log = logging.getLogger(__name__)

_GRACE_SECONDS = 12.0
_RESTART_SECONDS = 1.0
_RESTART_LONGEST = 60.0
_SETTLED_SECONDS = 30.0  # a process that ran so long is started again at once
_PR_SET_PDEATHSIG = 1


@dataclass
class Service:
    """A process to keep running.  `environment` is added to ours; `cores` are the ones it may use."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    cores: frozenset[int] = frozenset()

    def prepare(self) -> None:
        """In the new process, before its program: Linux keeps it to its cores and ends it with us."""
        if sys.platform != "linux":
            return
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.cores:
            os.sched_setaffinity(0, self.cores)


class Supervisor:
    """Keeps services running until it is closed; their output goes to one log file each in `logs`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self._services: dict[str, Service] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._waits: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, service: Service) -> None:
        """Start a service and keep it from now on."""
        self._services[service.name] = service
        self._started[service.name] = time.monotonic()
        with (self.logs / f"{service.name}.log").open("ab") as output:
            self._running[service.name] = subprocess.Popen(
                service.command,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # a group of its own: Ctrl-C reaches us alone, and we stop the others in order
                start_new_session=True,
                preexec_fn=service.prepare,
            )

    def wait_ready(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`.

        Raises:
            PerfsiteError: the service died or was not ready in time; the message ends with its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            code = self._running[name].poll()
            if code is not None or time.monotonic() > deadline:
                what = (
                    f"ended with status {code}" if code is not None else f"was not ready in {seconds:.0f} s"
                )
                raise PerfsiteError(f"{name} {what}; the end of its log:\n{self.log_tail(name)}")
            time.sleep(0.05)

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a service's log."""
        text = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def tend(self) -> None:
        """Restart what died, ever later what dies at once; call it about every second."""
        now = time.monotonic()
        for name, process in list(self._running.items()):
            if process.poll() is None:
                continue
            if now >= self._due.setdefault(name, now + self._wait(name)):
                log.warning("%s ended with status %s; starting it again", name, process.returncode)
                del self._due[name]
                self._group_kill(process.pid)  # what it had started itself may have outlived it
                self.start(self._services[name])

    def _wait(self, name: str) -> float:
        """How long to wait before the next start, in seconds: doubled while the process dies at once."""
        settled = time.monotonic() - self._started[name] > _SETTLED_SECONDS
        before = self._waits.get(name, 0.0)
        self._waits[name] = _RESTART_SECONDS if settled else max(_RESTART_SECONDS, 2 * before)
        return min(self._waits[name], _RESTART_LONGEST)

    def restart(self, name: str, environment: dict[str, str]) -> None:
        """Stop a service in peace and start it with more variables in its environment."""
        service = self._services[name]
        self._stop(name)
        self.start(replace(service, environment={**service.environment, **environment}))

    def names(self) -> list[str]:
        """The services that are kept, in the order they were started."""
        return list(self._running)

    def close(self) -> None:
        """Stop all, the last started first; whatever outlives its grace time is killed with its group."""
        for name in reversed(list(self._running)):
            self._stop(name)

    def _stop(self, name: str) -> None:
        process = self._running.pop(name)
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop within %.0f s and is killed", name, _GRACE_SECONDS)
        self._group_kill(process.pid)
        process.wait()

    @staticmethod
    def _group_kill(pid: int) -> None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # the whole group is gone: what we want
