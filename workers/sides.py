"""The two builds of a comparison or a profile: checked out, exported, and measured a block at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.report import Report
from benchmarks.runners.table import ROWS
from workers.job import Finished, Job, JobFailed
from workers.messages import BuildSource

WORDS = ("good", "suspect")
CHECKED_OUT = 0.05
MEASURED = 0.98
_PRIMING_S = 0.05


@dataclass(frozen=True)
class Side:
    """One of the two builds, checked out; `word` says which one it is."""

    word: str
    build: BuildSource
    checkout: Path
    onnx: Path | None


def sides_prepare(job: Job) -> tuple[Side, Side]:
    """Check both builds out and have their exports at hand, the last good build first.

    Raises:
        JobFailed: a build could not be had or exported; the failure says which.
        JobStopped: the job was asked to stop meanwhile.
    """
    if len(job.order.builds) != len(WORDS):
        raise job.fail("protocol", f"two builds are compared, and the order has {len(job.order.builds)}")
    good, suspect = (
        _side_prepare(job, word, build) for word, build in zip(WORDS, job.order.builds, strict=True)
    )
    return good, suspect


def _side_prepare(job: Job, word: str, build: BuildSource) -> Side:
    job.pulse.tell("checkout", 0.0, f"{word}: {build.sha[:7]} of {job.order.project}")
    checkout = job.check_out(build, word)
    return Side(word, build, checkout, _export_find(job, word, build, checkout))


def _export_find(job: Job, word: str, build: BuildSource, checkout: Path) -> Path | None:
    """The build's export, made in a child of its own where the cache has none.

    Otherwise a build's first block would have exported in the process it is measured in, and the
    others not.  None where nothing is exported, or where the export itself is what is compared.
    """
    order = job.order
    exports = any(ROWS[case.runner].loads != "module" for case in order.cases)
    watched = any(metric == "export_time" for _, metric in order.watch)
    if not exports or watched or order.source.kind not in ("catalogue", "entry"):
        return None
    known = job.cache.find(job.export_key(build))
    if known is None:
        job.pulse.tell("export", 0.02, f"{word}: {build.sha[:7]}")
        block = job.block(checkout, (_primer(order.cases[0]),)).model_copy(update={"canary": False})
        with blamed(word, build):
            finished = job.run_block(block, f"export-{word}", _ignore)
        job.keep_export(build, finished)
        known = job.cache.find(job.export_key(build))
    return known


def _primer(case: Case) -> Case:
    """The shortest case that makes its block export, whichever runner the comparison is about."""
    told = {"runner": "onnxruntime", "suite": "build", "duration_s": _PRIMING_S, "options": ()}
    return case.model_copy(update=told)


def side_measure(job: Job, side: Side, cases: tuple[Case, ...], *, pair: int, turn: int) -> Report:
    """One block of a pair; its folder is gone afterwards, so that the next builds its engines anew."""
    name = f"pair{pair + 1}-{side.word}"
    blocks, done = 2 * job.order.max_pairs, 2 * pair + turn
    on_event = teller(job, f"pair {pair + 1}: {side.word} {side.build.sha[:7]}", done / blocks, 1 / blocks)
    # a pair is its own witness of the machine: no canary
    block = job.block(side.checkout, cases, side.onnx).model_copy(update={"canary": False})
    with blamed(side.word, side.build):
        report = job.run_block(block, name, on_event).report
    shutil.rmtree(job.folder / name)
    return report


def side_profile(job: Job, side: Side, *, turn: int) -> Finished:
    """The profile of one build, with its files."""
    on_event = teller(job, f"profile: {side.word} {side.build.sha[:7]}", turn / 2, 1 / 2)
    block = job.block(side.checkout, job.order.cases, side.onnx)
    block = block.model_copy(update={"canary": False, "profile": side.word})
    with blamed(side.word, side.build):
        return job.run_block(block, f"profile-{side.word}", on_event)


@contextmanager
def blamed(word: str, build: BuildSource) -> Iterator[None]:
    """Say which of the two builds a failure belongs to."""
    try:
        yield
    except JobFailed as error:
        message = f"the {word} build {build.sha[:7]}: {error.failure.message}"
        raise JobFailed(error.failure.model_copy(update={"message": message[:4000]})) from error


def teller(job: Job, stage: str, start: float, share: float) -> Callable[[dict[str, Any]], None]:
    """Tells the pulse of a block's stages; `start` and `share` are parts of all the blocks."""

    def on_event(event: dict[str, Any]) -> None:
        if "stage" in event:
            fraction = start + share * float(event["fraction"])
            message = f"{event['stage']} {event.get('message', '')}".strip()
            job.pulse.tell(stage, CHECKED_OUT + fraction * (MEASURED - CHECKED_OUT), message)

    return on_event


def _ignore(_event: dict[str, Any]) -> None:
    """The export ahead of the pairs has no stages of its own to show."""
