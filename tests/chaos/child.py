"""What a child does instead of measuring: quick, and as badly behaved as its model's name says."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.metrics import metric_get
from benchmarks.report import Environment, Measurement, Outcome, Report
from workers.block import BLOCK_FILE, REPORT_FILE, Block
from workers.measuring import failure_event

SECONDS = (0.05, 0.4)
FACTS = {"cpu_model": "A processor", "python": "3.11"}


def block_pretend(folder: Path, events_fd: int) -> int:
    """Take a moment, leave a report and a file; or hang, or eat memory."""
    block = Block.model_validate_json((folder / BLOCK_FILE).read_bytes())
    if block.model.startswith("hang"):
        _hang_in_native_code()
    if block.model.startswith("eater"):
        _eat_memory()
    _tell(events_fd, {"stage": "latency", "fraction": 0.5, "message": ""})
    time.sleep(random.uniform(*SECONDS))
    try:
        (folder / REPORT_FILE).write_text(_report(block).model_dump_json(), encoding="utf-8")
    except OSError as error:  # a full disk, told as the measuring code tells it
        _tell(events_fd, failure_event(error))
        return 1
    _tell(events_fd, {"done": True})
    return 0


def _report(block: Block) -> Report:
    """The same value up to a thousandth: what is tried here is delivery, not detection."""
    unit = metric_get("latency_p50").unit
    return Report(
        kind="measure",
        created_at=datetime.now(UTC),
        generator="chaos",
        model=block.model,
        source=block.source,
        precision=block.precision,
        environment=Environment(facts=FACTS),
        outcomes=tuple(Outcome(case=case, status="done") for case in block.cases),
        measurements=tuple(
            Measurement(
                case=case, metric="latency_p50", unit=unit, n=1000, value=0.01 * random.gauss(1, 0.001)
            )
            for case in block.cases
        ),
    )


def _hang_in_native_code() -> None:
    """Neither Python's signal handlers nor SIGTERM end this."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    libc = ctypes.PyDLL(None)  # holds the interpreter's lock all the while
    while True:
        libc.pause()


def _eat_memory() -> None:
    held = []
    while True:
        held.append(os.urandom(2**20) * 16)
        time.sleep(0.01)


def _tell(events_fd: int, event: dict) -> None:
    os.write(events_fd, json.dumps(event).encode() + b"\n")
