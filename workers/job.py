"""A claimed job on its way: its folder, its pulse, and how a block of it is run in a child."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case
from benchmarks.device import DeviceKind
from benchmarks.environment import environment_read
from benchmarks.report import Environment, Remark, Report
from workers.block import BLOCK_FILE, ENTRY, OUT_FOLDER, REPORT_FILE, Block
from workers.checkout import Checkouts
from workers.child import ChildLog, Ending, Supervision, signal_name
from workers.fetch import FetchError, file_fetch
from workers.fetch_policy import DEFAULT_POLICY, FetchPolicy
from workers.git import GitError
from workers.messages import BuildSource, Failure, FailureKind, FileSource, Order, Pair
from workers.nursery import Nursery, NurseryError
from workers.onnx_cache import ExportKey, OnnxCache
from workers.pulse import Pulse

ArtifactKind = Literal["onnx", "engine", "log", "profile", "other"]

_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
_OWN_FAULT_SIGNALS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
"""Signals a process brings upon itself; any other came from the machine or a person."""


class JobFailed(Exception):  # noqa: N818 - an outcome of the job, not a fault of the worker
    """The job cannot be done; `failure` is what the site is told."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class JobStopped(Exception):  # noqa: N818 - an outcome of the job, not a fault of the worker
    """The job was asked to stop; the pulse knows why."""


@dataclass(frozen=True)
class Finished:
    """A done job: its report and its files by artifact name."""

    report: Report
    files: dict[str, Path]


@dataclass
class Job:
    """Everything a kind of job needs; `deadline` is on the monotonic clock, `pair_done` sends a pair home."""

    order: Order
    folder: Path
    checkouts: Checkouts
    nursery: Nursery
    cache: OnnxCache
    pulse: Pulse
    log: ChildLog
    price_per_hour: float | None = None
    soaks: Path | None = None
    device: DeviceKind = "cpu"
    fetch: FetchPolicy = DEFAULT_POLICY
    pair_done: Callable[[Pair], None] = lambda _pair: None
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.order.limits.wall_clock_s

    def fail(
        self, kind: FailureKind, message: str, *, exit_code: int | None = None, retry: bool = False
    ) -> JobFailed:
        """The exception that ends this job with a failure and the tail of its log."""
        tail = self.log.tail(60_000)
        return JobFailed(
            Failure(kind=kind, message=message[:4000], log=tail, exit_code=exit_code, retry=retry)
        )

    def environment(self) -> Environment:
        """The facts of this machine, for a report that needed no child."""
        return environment_read(self.device)

    def check_out(self, build: BuildSource, name: str) -> Path:
        """The build's source, or its delivered file, in the job's folder.

        Raises:
            JobFailed: it could not be had.
            JobStopped: the job was asked to stop meanwhile.
        """
        if build.file is not None:
            return self._file_fetch(build, build.file, self.folder / name)
        try:
            return self.checkouts.make(
                repo=build.repo, sha=build.sha, target=self.folder / name, ref=build.ref
            )
        except GitError as error:
            if self.pulse.stopped():
                raise JobStopped from error
            raise self.fail("checkout", str(error), retry=error.retry) from error

    def _file_fetch(self, build: BuildSource, file: FileSource, target: Path) -> Path:
        """The delivered file alone in a folder of its own; it has no repository."""
        try:
            return file_fetch(
                file, sha256=build.sha, target=target, policy=self.fetch, stop=self.pulse.stopped
            )
        except FetchError as error:
            if self.pulse.stopped():
                raise JobStopped from error
            raise self.fail("checkout", str(error), retry=error.retry) from error

    def block(self, checkout: Path, cases: tuple[Case, ...], onnx_cache: Path | None = None) -> Block:
        """The block that measures `cases` of the build in `checkout`."""
        order = self.order
        return Block(
            model=order.model,
            source=order.source,
            precision=order.precision,
            cases=cases,
            checkout=checkout,
            onnx_cache=onnx_cache,
            price_per_hour=self.price_per_hour,
        )

    def export_key(self, build: BuildSource) -> ExportKey:
        """Which export of the cache is this build's."""
        return ExportKey(self.order.project, build.sha, self.order.model, self.order.precision)

    def keep_export(self, build: BuildSource, finished: Finished) -> None:
        """Keep the ONNX file a block exported; one given in the repository needs no keeping.

        One whose weights lie beside it has a digest of both in the report: it is too large to keep.
        """
        if self.order.source.kind not in ("catalogue", "entry"):
            return
        for ref in finished.report.artifacts:
            if ref.sha256 == finished.report.onnx_sha256 and ref.name in finished.files:
                sealed = Artifact(finished.files[ref.name], "onnx", ref.sha256, ref.size)
                self.cache.keep(self.export_key(build), sealed)

    def run_block(self, block: Block, name: str, on_event: Callable[[dict[str, Any]], None]) -> Finished:
        """Measure `block` in a fresh child whose home is a new folder called `name`.

        Raises:
            JobFailed: the child failed, crashed, or went over a limit.
            JobStopped: the job was asked to stop meanwhile.
        """
        home = self.folder / name
        home.mkdir()
        self.log.write(f"== {name}\n".encode())
        (home / BLOCK_FILE).write_text(block.model_dump_json(), encoding="utf-8")
        left = max(0.0, self.deadline - time.monotonic())
        supervision = Supervision(
            self.nursery,
            self.order.limits.model_copy(update={"wall_clock_s": left}),
            self.log,
            on_event,
            self.pulse.stopped,
        )
        try:
            ending = supervision.run(folder=home, entry=ENTRY)
        except NurseryError as error:
            raise self.fail("environment", str(error), retry=True) from error
        self._judge(ending)
        try:
            report = Report.model_validate_json((home / REPORT_FILE).read_bytes())
        except (OSError, ValidationError) as error:
            raise self.fail("protocol", f"the measuring process left no valid report: {error}") from error
        return Finished(report, self._files(report, block.out or home / OUT_FOLDER, block.checkout))

    def _files(self, report: Report, out: Path, checkout: Path) -> dict[str, Path]:
        """Where the report's artifacts are: made by the child, or given in the checkout."""
        files = {}
        for ref in report.artifacts:
            # a suite may keep its files in a folder of its own
            for path in (out / ref.name, *sorted(out.rglob(ref.name)), checkout / self.order.source.ref):
                if path.name == ref.name and path.is_file() and path.stat().st_size == ref.size:
                    files[ref.name] = path
                    break
        return files

    def _judge(self, ending: Ending) -> None:
        """Raise what the child's end means, unless it is done."""
        limits, seconds = self.order.limits, f"{ending.seconds:.0f} s"
        if ending.reason == "stopped":
            raise JobStopped
        if ending.reason == "lost":
            raise self.fail(
                "environment", f"the process that forks the children died after {seconds}", retry=True
            )
        if ending.reason == "timeout":
            raise self.fail(
                "timeout",
                f"the job took longer than its {limits.wall_clock_s:g} s and was ended; make "
                "it measure less, or raise the project's limit",
            )
        if ending.reason == "memory":
            raise self.fail(
                "memory",
                f"the job's processes held {ending.peak_bytes / 2**30:.2f} GiB of memory, more "
                f"than the limit of {limits.resident_bytes / 2**30:.2f} GiB, and were ended",
            )
        code = ending.exit_code or 0
        if ending.reason == "signal":
            name = signal_name(code)
            raise self.fail(
                "killed",
                f"the measuring process was killed by {name} after {seconds}",
                exit_code=code,
                retry=name not in _OWN_FAULT_SIGNALS,
            )
        if "failure" in ending.last:
            kind = ending.last["failure"]
            raise self.fail(
                kind if kind in _KINDS else "measure",
                str(ending.last.get("message", "")),
                exit_code=code,
                retry=bool(ending.last.get("retry")),
            )
        if not ending.last.get("done"):
            raise self.fail(
                "killed",
                f"the measuring process ended by itself after {seconds}, with exit code {code} "
                "and without a result; the watched code may have called os._exit",
                exit_code=code,
            )


def remarks_added(finished: Finished, remarks: tuple[Remark, ...]) -> Finished:
    """The same, with more remarks."""
    report = finished.report.model_copy(update={"remarks": (*finished.report.remarks, *remarks)})
    return Finished(report, finished.files)


def artifact_added(finished: Finished, path: Path, kind: ArtifactKind) -> Finished:
    """The same, with the file at `path` as one more artifact."""
    ref = Artifact.seal(path, kind).ref()
    report = finished.report.model_copy(update={"artifacts": (*finished.report.artifacts, ref)})
    return Finished(report, finished.files | {ref.name: path})
