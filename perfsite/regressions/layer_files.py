"""The files that tell of the layers of two builds: a profile's, else those of the engines."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.layers import Layers, layers_parse
from benchmarks.layers.names import GOOD, LAYERS, SUSPECT, profile_start
from perfsite.results.models import Artifact, Series
from perfsite.runs.cases import case_key, cases_of
from perfsite.runs.models import Build, Job

MOST_STORED, MOST_BYTES = 8 * 2**20, 64 * 2**20  # of one file: as it is kept, and unpacked
MOST_LAYERS = 10_000


class LayerFiles(NamedTuple):
    """The same file of both builds, the times beside each where there are any, and all for download."""

    source: str
    good: Artifact
    suspect: Artifact
    times: tuple[Artifact | None, Artifact | None] = (None, None)
    offered: tuple[tuple[str, Artifact], ...] = ()
    about_series: bool = True  # and not about another case of the incident

    @property
    def digests(self) -> list[str]:
        """What was compared, whatever it is called."""
        return [one.sha256 if one else "" for one in (self.good, self.suspect, *self.times)]


def files_of_profile(job: Job, series: Series) -> LayerFiles | None:
    """The layers that a profile job left of both builds; it may be about another case than the series'."""
    files = {one.name: one for one in job.artifacts.filter(kind="profile")}
    for case in cases_of(job.spec):
        starts = [f"{profile_start(side, case.runner, case.shape)}." for side in (GOOD, SUSPECT)]
        good, suspect = (files.get(f"{start}{LAYERS}") for start in starts)
        if good is None or suspect is None:
            continue
        traces = tuple(
            (f"{word}: {_ending(name)}", one)
            for word, start in zip(("Last good build", "Accused build"), starts, strict=True)
            for name, one in sorted(files.items())
            if name.startswith(start) and one not in (good, suspect)
        )
        same = (case.model, *case_key(case)) == (series.model, *case_key(series))
        source = f"Profiles of {case.label}, taken one after the other"
        return LayerFiles(source, good, suspect, offered=traces, about_series=same)
    return None


def _ending(name: str) -> str:
    if name.endswith(".nsys-rep"):
        return "Nsight Systems"
    return "inspector" if "inspector" in name else "trace"


def files_of_engines(
    base: Build, build: Build, series: Series, words: tuple[str, str] = ("Last good build", "Accused build")
) -> LayerFiles | None:
    """The engines that both builds were measured with: by the inspector, else by the builder's log.

    `words` are what the two builds are called beside their files.
    """
    engine = f".{series.runner}.engine"
    batch = series.shape.partition(",")[0]
    sides = [_newest(one, series, engine) for one in (base, build)]
    for ending, kind in ((f"{engine}.{batch}.layers.json", "profile"), (f"{engine}.log", "log")):
        found = [next((one for one in side if one.name.endswith(ending)), None) for side in sides]
        good, suspect = found
        if good is None or suspect is None or good.kind != kind:
            continue
        beside = ending.replace(".layers.json", ".layer-times.json")
        times = [next((one for one in side if one.name.endswith(beside)), None) for side in sides]
        pair = (times[0], times[1]) if kind == "profile" else (None, None)
        files = ((f"{words[0]}: layers", good), (f"{words[1]}: layers", suspect))
        return LayerFiles("The two engines, as they were built to be measured", good, suspect, pair, files)
    return None


def _newest(build: Build, series: Series, engine: str) -> list[Artifact]:
    """What the build's newest measure job left of its engines."""
    rows = Artifact.objects.filter(
        job__run__build=build,
        job__kind=Job.Kind.MEASURE,
        job__device_class=series.device_class,
        job__model=series.model,
        job__precision=series.precision,
        name__contains=engine,
    )
    return list(rows.order_by("-job_id", "name"))


def file_read(artifact: Artifact, times: Artifact | None) -> Layers:
    """The layers in a file.

    Raises:
        ValueError: it is damaged or too large.
        OSError: it is gone.
    """
    found = layers_parse(
        _bytes(artifact),
        name=artifact.name,
        times=_bytes(times) if times is not None else None,
        most_bytes=MOST_BYTES,
    )
    if len(found.layers) > MOST_LAYERS:
        raise ValueError(
            f"{artifact.name} has {len(found.layers)} layers; {MOST_LAYERS} are compared at most"
        )
    return found


def _bytes(artifact: Artifact) -> bytes:
    if artifact.size > MOST_STORED:
        raise ValueError(f"{artifact.name} has {artifact.size} bytes; {MOST_STORED} are read at most")
    with artifact.file.open("rb") as stored:
        content: bytes = stored.read()
    return content
