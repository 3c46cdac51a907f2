"""A block: the cases one child process measures, as the worker writes it down and the child reads it.

    block.json    what to measure (`Block`), written by the worker
    report.json   what was learnt (`benchmarks.report.Report`), written by the child
    out/          where the child leaves artifacts, under the names the report gives them

Events are JSON lines: {"stage", "fraction", "message"} on the way, and one last line, {"done": true}
or {"failure": kind, "message": sentence, "retry": bool}.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from benchmarks.cases import Case, ModelSource

BLOCK_FILE = "block.json"
REPORT_FILE = "report.json"
OUT_FOLDER = "out"
ENTRY = "workers.measuring:block_measure"


class Block(BaseModel):
    """What one child measures: some cases of one build that share a model and a precision.

    `onnx_cache` is the file an earlier block of the same build exported, which saves the export;
    `price_per_hour` is of the device; `canary` says whether the pinned computation is timed.  `out` is
    where the child keeps its files, when that is to outlive the child's own folder.  `profile` is the word
    for the build (`good`, `suspect`) whose cases are profiled and not measured.
    """

    model: str
    source: ModelSource
    precision: str
    cases: tuple[Case, ...]
    checkout: Path
    onnx_cache: Path | None = None
    price_per_hour: float | None = None
    canary: bool = True
    out: Path | None = None
    profile: str = ""
