"""Where a worker keeps things, all below one work folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workers.sandbox import sandbox_command


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

    def sandbox(self, work: Path, *, network: bool) -> tuple[str, ...]:
        """The words that confine the zygote: of the work folder it sees its jobs, kept exports and soaks.

        Raises:
            SandboxError: bubblewrap is not installed.
        """
        writable = (self.zygote, self.jobs, self.soaks)
        self.onnx.mkdir(parents=True, exist_ok=True)
        return sandbox_command(writable=writable, readable=(self.onnx,), hidden=(work,), network=network)

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
