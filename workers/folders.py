"""Where a worker keeps things, all below one work folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Where a worker keeps things; the first two are shared by the workers of a machine.

    `soaks` outlives the worker: a soak that was interrupted goes on from there.
    """

    mirrors: Path
    onnx: Path
    jobs: Path
    spool: Path
    zygote: Path
    soaks: Path

    @classmethod
    def under(cls, work: Path, worker: str) -> Folders:
        """The folders of `worker` under the work folder."""
        own = work / "workers" / worker
        return cls(
            mirrors=work / "mirrors",
            onnx=work / "onnx",
            jobs=own / "jobs",
            spool=own / "spool",
            zygote=own / "zygote",
            soaks=own / "soaks",
        )
