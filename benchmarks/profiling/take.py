"""Taking the profile of one case."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.device import DeviceKind, device_choose
from benchmarks.layers.names import LAYERS, profile_start
from benchmarks.layers.stored import stored_write
from benchmarks.prepare import EXPORT_WEIGHT, libraries_import, sources_prepare
from benchmarks.prepared import ENGINE_WEIGHT
from benchmarks.profiling.nsight import nsight_found, nsight_record
from benchmarks.profiling.recording import Recorded, recorder_of
from benchmarks.progress import Journal, OnProgress
from benchmarks.report import Remark
from benchmarks.runners.base import Assets

MOST_BYTES = 32 * 2**20  # of one file, as it is sent
PROFILE_WEIGHT = 5.0


@dataclass(frozen=True)
class Profile:
    """The files of one case's profile, the common form first, and doubts about them."""

    artifacts: tuple[Artifact, ...]
    remarks: tuple[Remark, ...] = ()


def profile_take(
    source: ModelSource,
    *,
    model: str,
    precision: str,
    case: Case,
    checkout: Path,
    workdir: Path,
    on_progress: OnProgress,
    side: str = "",
    onnx_cache: Path | None = None,
    device: DeviceKind | None = None,
) -> Profile:
    """Profile one case in this process, with the runner's own profiler.

    torch.profiler for torch, `enable_profiling` for onnxruntime, the inspector and the per-layer
    profiler for engines; on a GPU where `nsys` is installed a trace of Nsight Systems besides, in a
    process of its own.  20 inferences after a warm-up, fewer of a slow model but 2, without CUDA graphs,
    whose replay shows no layers.  A file over 32 MiB is left out, with a remark.  `side` begins the names.

    Raises:
        BenchmarkError: the model, its export or its engine fails, or this machine cannot run the case.
        ValueError: the case is of another model or precision.
    """
    if (case.model, case.precision) != (model, precision):
        raise ValueError(f"{case.label} is no case of {model} in {precision}")
    workdir.mkdir(parents=True, exist_ok=True)
    journal = Journal(on_progress, EXPORT_WEIGHT + ENGINE_WEIGHT + PROFILE_WEIGHT)
    libraries_import(source, (case,), onnx_cache, journal)
    prepared = sources_prepare(
        source=source,
        precision=precision,
        cases=(case,),
        checkout=checkout,
        workdir=workdir,
        device=device or device_choose(),
        onnx_cache=onnx_cache,
        journal=journal,
        nursery=None,
    )
    size = case.option("size")
    assets = prepared.assets_of(case) if size is None else prepared.variant(case, size=int(size))
    with journal.stage("profile", PROFILE_WEIGHT, case.label):
        taken = _record(case, assets, workdir, side)
    journal.finish()
    return taken


def _record(case: Case, assets: Assets, workdir: Path, side: str) -> Profile:
    start = profile_start(side, case.runner, case.shape)
    with tempfile.TemporaryDirectory(prefix="profile-", dir=workdir) as name:
        folder = Path(name)
        recorded = recorder_of(case.runner)(case.runner, assets, case.batch, folder)
        files, remarks = [_stored(recorded, workdir / f"{start}.{LAYERS}")], _doubts(recorded, case)
        traces = [(recorded.file, recorded.ending)]
        if assets.device == "cuda" and nsight_found() is not None:
            try:
                traces.append((nsight_record(case.runner, assets, case.batch, folder), "nsys-rep"))
            except OSError as error:
                remarks.append(Remark(code="no-nsight", sentence=str(error), case=case))
        for trace, ending in traces:
            if trace.stat().st_size > MOST_BYTES:
                sentence = (
                    f"{trace.name} is larger than {MOST_BYTES // 2**20} MiB and was left out; take it by hand"
                )
                remarks.append(Remark(code="profile-too-large", sentence=sentence, case=case))
                continue
            files.append(Artifact.seal(trace.rename(workdir / f"{start}.{ending}"), "profile"))
    return Profile(tuple(files), tuple(remarks))


def _stored(recorded: Recorded, target: Path) -> Artifact:
    target.write_bytes(stored_write(recorded.layers))
    return Artifact.seal(target, "profile")


def _doubts(recorded: Recorded, case: Case) -> list[Remark]:
    return [Remark(code=code, sentence=words, case=case) for code, words in recorded.doubts.items()]
