"""What runs inside the child process: one block, measured by `benchmarks.session`."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from benchmarks.progress import OnProgress
from benchmarks.report import Report
from workers.block import BLOCK_FILE, OUT_FOLDER, REPORT_FILE, Block

FAILED = 1


def block_measure(folder: Path, events_fd: int) -> int:
    """Measure the block written down in `folder`; events go to `events_fd`.  Returns the exit code.

    Whatever the watched code raises, `SystemExit` included, becomes a failure event with its kind.
    """
    block = Block.model_validate_json((folder / BLOCK_FILE).read_bytes())
    out = block.out or folder / OUT_FOLDER
    out.mkdir(exist_ok=True)

    def tell(event: dict[str, Any]) -> None:
        os.write(events_fd, json.dumps(event).encode() + b"\n")

    def on_progress(stage: str, fraction: float, message: str) -> None:
        tell({"stage": stage, "fraction": fraction, "message": message})

    try:
        report = _block_report(block, out, on_progress)
    except BaseException as error:
        traceback.print_exc(file=sys.stderr)
        tell(failure_event(error))
        return FAILED
    half = folder / f".{REPORT_FILE}"
    half.write_text(report.model_dump_json(), encoding="utf-8")
    half.rename(folder / REPORT_FILE)
    tell({"done": True})
    return 0


def _block_report(block: Block, out: Path, on_progress: OnProgress) -> Report:
    """What the block learns: measurements, or the files of a profile."""
    shared: dict[str, Any] = {
        "model": block.model,
        "precision": block.precision,
        "cases": block.cases,
        "checkout": block.checkout,
        "workdir": out,
        "on_progress": on_progress,
        "onnx_cache": block.onnx_cache,
    }
    # imported here: a broken torch is a failure to report, too
    if block.profile:
        from benchmarks.profiling import profile_report  # noqa: PLC0415

        return profile_report(block.source, side=block.profile, **shared)
    from benchmarks.session import measure  # noqa: PLC0415

    return measure(block.source, price_per_hour=block.price_per_hour, canary=block.canary, **shared)


def failure_event(error: BaseException) -> dict[str, Any]:
    """The event for an error: its own kind where it has one, else whose fault its type shows."""
    kind = getattr(error, "kind", None)
    if kind is None:
        kind = "environment" if isinstance(error, ImportError | OSError) else "measure"
    message = str(error) if hasattr(error, "kind") else f"{type(error).__name__}: {error}"
    return {"failure": kind, "message": message[:4000], "retry": kind == "environment"}
