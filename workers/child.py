"""One child process per block of measuring: its limits, its log, its events and its end.

The child writes what it prints to a pipe, and what it has to say (stage, fraction, result) as JSON
lines to another; this side keeps both, watches the clock and the memory, and says why it ended.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from workers.messages import Limits
from workers.nursery import Fork, Nursery, NurseryError

Reason = Literal["exited", "signal", "timeout", "memory", "stopped", "lost"]

POLL_S = 0.1
MEMORY_POLL_S = 0.25
END_S = 10.0
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Ending:
    """Why and how a child ended.

    `exited` and `signal` are its own doing (`exit_code`, negative for a signal, as in
    `subprocess`); `timeout` and `memory` are its limits; `stopped` was asked for; `lost` means the
    zygote died with it.  `peak_bytes` is the largest sum of resident memory seen, `last` the last
    event it sent.
    """

    reason: Reason
    exit_code: int | None
    seconds: float
    peak_bytes: int
    last: dict[str, Any]


class ChildLog:
    """What a child prints, into a file of at most `limit` bytes; the tail is always at hand."""

    TAIL = 60_000

    def __init__(self, path: Path, limit: int = 8 * 2**20) -> None:
        self.path = path
        self._room = limit
        self._cut = False
        self._tail = bytearray()
        self._file = path.open("ab")

    def write(self, data: bytes) -> None:
        """Keep `data`; what is over the limit goes only to the tail, which is written at `close`."""
        self._tail += data
        del self._tail[: -self.TAIL]
        self._file.write(data[: self._room])
        self._file.flush()
        if len(data) > self._room and not self._cut:
            self._file.write(b"\n[the log is cut here: it reached its limit; its end follows]\n")
            self._cut = True
        self._room = max(0, self._room - len(data))

    def tail(self, characters: int) -> str:
        """At most the last `characters` of what was printed."""
        return self._tail.decode(errors="replace").replace("\x00", "")[-characters:]

    def close(self) -> None:
        """Close the file; where it was cut, its end is added."""
        if self._cut and not self._file.closed:
            self._file.write(self._tail)
        self._file.close()


@dataclass
class Supervision:
    """Watches one child until it has ended; `stop` is asked every `POLL_S` seconds."""

    nursery: Nursery
    limits: Limits
    log: ChildLog
    on_event: Callable[[dict[str, Any]], None]
    stop: Callable[[], bool]
    _peak: int = 0
    _memory_due: float = 0.0
    _family: list[psutil.Process] = field(default_factory=list)
    _pending: bytes = b""
    _last: dict[str, Any] = field(default_factory=dict)

    def run(self, *, folder: Path, entry: str) -> Ending:
        """Run `entry` (`module:function`) in a child whose home is `folder`.

        Raises:
            NurseryError: it could not even be started.
        """
        log_read, log_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        events_read, events_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for end in (log_write, events_write):
            os.set_blocking(end, True)
        started = time.monotonic()
        try:
            try:
                fork = self.nursery.fork(folder=folder, entry=entry, log_fd=log_write, events_fd=events_write)
            finally:
                os.close(log_write)
                os.close(events_write)
            reason, status = self._watch(fork, started, log_read, events_read)
            self._drain(log_read, events_read)
        finally:
            os.close(log_read)
            os.close(events_read)
        code = None if status is None else os.waitstatus_to_exitcode(status)
        if reason == "exited" and code is not None and code < 0:
            reason = "signal"
        return Ending(reason, code, time.monotonic() - started, self._peak, self._last)

    def _watch(
        self, fork: Fork, started: float, log_read: int, events_read: int
    ) -> tuple[Reason, int | None]:
        """Serve the pipes until the child has ended; its status, and the limit that ended it if one did."""
        reason: Reason = "exited"
        give_up = math.inf
        with selectors.DefaultSelector() as selector:
            selector.register(self.nursery.control, selectors.EVENT_READ)
            selector.register(log_read, selectors.EVENT_READ, self._read_log)
            selector.register(events_read, selectors.EVENT_READ, self._read_events)
            while True:
                for key, _ in selector.select(POLL_S):
                    if key.data is not None and not key.data(key.fd):
                        selector.unregister(key.fd)
                try:
                    status = fork.poll(0)
                except NurseryError:
                    self._end_family()
                    return "lost" if reason == "exited" else reason, None
                if status is not None:
                    return reason, status
                if reason == "exited" and (over := self._over(started)) is not None:
                    reason, give_up = over, time.monotonic() + END_S
                    fork.end()
                if time.monotonic() > give_up:
                    self.nursery.close()  # the zygote does not do as it is told; the next fork starts another

    def _over(self, started: float) -> Reason | None:
        """The reason to end the child now, if there is one."""
        if self.stop():
            return "stopped"
        now = time.monotonic()
        if now - started > self.limits.wall_clock_s:
            return "timeout"
        if now >= self._memory_due:
            self._memory_due = now + MEMORY_POLL_S
            self._family = self.nursery.family()
            self._peak = max(self._peak, resident_bytes(self._family))
            if self._peak > self.limits.resident_bytes:
                return "memory"
        return None

    def _end_family(self) -> None:
        """Kill what was last seen below a zygote that is gone; not all of it dies with its parent."""
        for process in self._family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _drain(self, log_read: int, events_read: int) -> None:
        """Read what the ended child left in its pipes."""
        for pipe, read in ((log_read, self._read_log), (events_read, self._read_events)):
            try:
                while read(pipe):
                    continue
            except BlockingIOError:
                continue  # something still holds the other end open, but nothing is left to read

    def _read_log(self, pipe: int) -> bool:
        data = os.read(pipe, 65536)
        self.log.write(data)
        return bool(data)

    def _read_events(self, pipe: int) -> bool:
        data = os.read(pipe, 65536)
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > _LONGEST_LINE:
            self._pending = b""
        for line in lines:
            event = _event_parsed(line)
            if event is None:
                self.log.write(b"[a line the worker could not read came from the measuring process]\n")
                continue
            self._last = event
            self.on_event(event)
        return bool(data)


def _event_parsed(line: bytes) -> dict[str, Any] | None:
    """The event a line holds; None when it is not a JSON object."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def resident_bytes(processes: list[psutil.Process]) -> int:
    """Resident memory of the processes together, in bytes; pages they share count for each."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended since it was listed
            total += process.memory_info().rss
    return total


def signal_name(exit_code: int) -> str:
    """The signal behind a negative exit code, for example `SIGSEGV` for -11."""
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
