"""What the site and a worker say to each other: queue names, wake-ups, and the bodies of the API.

Both sides import this file, with `text.py`, and nothing else of each other.  A wake-up names no job:
which job a worker gets is decided when it claims, by the database.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from benchmarks.cases import Case, ModelSource
from benchmarks.sequential import Suspected
from workers.text import text_clean

PROTOCOL = 4  # since a build may be a delivered file
WAKE_TASK = "workers.wake"
WAKE_PREFIX = "perfsite-wake:"
"""What every key of the wake-ups at the broker begins with: all that a worker's user may touch there."""

FailureKind = Literal[
    "checkout",
    "export",
    "build",
    "model",
    "measure",
    "timeout",
    "memory",
    "killed",
    "cancelled",
    "environment",
    "protocol",
]


def queue_name(device_class: str) -> str:
    """The wake-up queue of a device class, for example `gpu.h100-80gb-hbm3` or `gpu.cpu`."""
    return f"gpu.{device_class}"


def device_class_slug(name: str) -> str:
    """A device's marketing name as a class: `NVIDIA H100 80GB HBM3` -> `h100-80gb-hbm3`."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return slug.removeprefix("nvidia-") or "unknown"


Text = Annotated[str, BeforeValidator(text_clean)]
"""Text that a database can keep."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A number that JSON and a database can keep: pydantic takes text for one too, and "1e310" is infinite."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # an older peer may send more or less


class Device(_Message):
    """What a worker measures on.  `uuid` is NVML's, or `cpu-<machine id>` for the processor."""

    device_class: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", examples=["h100"])
    name: str = Field(max_length=200)
    uuid: str = Field(max_length=100)


FACTS_MOST = 100
FACT_LONGEST = 2000


def _fact_bounded(fact: str | float | None) -> str | float | None:
    if len(str(fact)) > FACT_LONGEST:
        raise ValueError(f"a fact has at most {FACT_LONGEST} characters, this one {len(str(fact))}")
    return fact


Fact = Annotated[str | int | float | bool | None, AfterValidator(_fact_bounded)]
Facts = Annotated[dict[Annotated[str, Field(max_length=60)], Fact], Field(max_length=FACTS_MOST)]
"""What a worker tells of its machine."""

READINGS = frozenset(
    {
        "cpu_utilisation",
        "host_memory",
        "gpu_temperature",
        "gpu_power",
        "gpu_sm_clock",
        "gpu_memory_clock",
        "gpu_utilisation",
        "gpu_memory",
        "gpu_throttle",
    }
)
"""The readings there are; each is a time series of the site's monitoring, so no other name is let in."""


def _readings_known(told: object) -> object:
    """Without the unknown ones: a newer worker keeps its lease whatever it reads."""
    if not isinstance(told, dict):
        return told
    return {name: value for name, value in told.items() if name in READINGS}


Telemetry = Annotated[dict[str, Number | None], BeforeValidator(_readings_known)]


class Hello(_Message):
    """A worker introduces itself; answered with `Welcome`, or 409 on a version it cannot serve."""

    protocol: int = PROTOCOL
    worker: str = Field(min_length=1, max_length=100)
    device: Device
    facts: Facts = {}


class Welcome(_Message):
    """The site takes the worker: how often to send a heartbeat and how long a lease lasts, in seconds."""

    protocol: int = PROTOCOL
    worker_id: int
    heartbeat_s: float
    lease_s: float


class ClaimRequest(_Message):
    """A worker asks for the best job it may take."""

    worker: str = Field(min_length=1, max_length=100)
    device: Device


FILE_NAMES = {"onnx": "model.onnx", "engine": "model.engine"}
"""What a delivered file is called in its folder, by its format."""


class FileSource(_Message):
    """A delivered file to fetch; its SHA-256 is the build's `sha`.

    `size` is what the sender said it has, in bytes; the site lets nobody fetch more than `max_bytes`.
    """

    url: str = Field(max_length=2000)
    format: Literal["onnx", "engine"]
    size: int | None = Field(default=None, ge=1)
    max_bytes: int = Field(ge=1)


class BuildSource(_Message):
    """A build to check out: `repo` is a URL or path git can fetch from; `file`, where there is one, instead.

    `ref` is where the forge keeps a commit that may be on no branch, such as `refs/pull/7/head`.
    """

    build_id: int
    repo: str
    sha: str = Field(pattern=r"^[0-9a-f]{40,64}$", examples=["3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"])
    ref: str = Field(default="", pattern=r"^(refs/[A-Za-z0-9/_.-]{1,200})?$")
    file: FileSource | None = None


class Limits(_Message):
    """What the job's child process may use: seconds of wall clock, bytes of resident memory."""

    wall_clock_s: float = 900.0
    resident_bytes: int = 16 * 2**30


class Pair(_Message):
    """One finished pair of a comparison; `number` counts from 0, and the builds take turns in going first.

    `values` has a row (case index, metric, good build's value, suspect's) per judged metric, in the
    metric's unit; `onnx_sha256` and `engine_sha256` are of both builds' files, the good one's first, a
    missing one is None.  `disturbed` has the cases, by index and reason, of which the pair does not count.
    """

    number: int = Field(ge=0, le=9999)
    values: tuple[tuple[int, str, Number, Number], ...]
    onnx_sha256: tuple[Digest, Digest] = (None, None)
    engine_sha256: tuple[Digest, Digest] = (None, None)
    disturbed: tuple[tuple[int, Annotated[str, Field(max_length=2000)]], ...] = ()


class Order(_Message):
    """A claimed job.  `builds` holds one build to measure, or the last good one and the suspect to
    compare or to profile; `watch` names the (case index, metric) pairs a comparison must decide,
    `suspected` has the step suspected of each, None where none is; `pairs` are those that an earlier
    attempt ran on this very device, in order.  `alpha` bounds false confirmations; `relevant` has the
    smallest relative change worth telling, of metrics for which it is not the usual one; `case_relevant`,
    a table a case or empty, has it where a case has another one than `relevant` says."""

    job_id: int
    attempt: int
    token: str
    kind: Literal["measure", "compare", "soak", "profile"]
    project: str
    builds: tuple[BuildSource, ...]
    model: str
    source: ModelSource
    precision: str
    cases: tuple[Case, ...]
    watch: tuple[tuple[int, str], ...] = ()
    suspected: tuple[Suspected | None, ...] = ()
    pairs: tuple[Pair, ...] = ()
    max_pairs: int = 20
    alpha: float = 0.01
    relevant: dict[str, float] = {}
    case_relevant: tuple[dict[str, float], ...] = ()
    limits: Limits = Limits()


class Progress(_Message):
    """Sent with every heartbeat.  `fraction` is of the whole job; `log` is the newest tail.

    Of `telemetry` the names in `READINGS` are kept, any other is ignored.
    """

    stage: Text = Field(max_length=60)
    fraction: float = Field(ge=0, le=1)
    message: Text = Field(default="", max_length=500)
    remaining_s: Number | None = None
    telemetry: Telemetry = {}
    log: Text = Field(default="", max_length=20_000)


class ProgressAnswer(_Message):
    """`cancel` asks the worker to stop the job and report a failure of kind `cancelled`.

    `others_wait` asks a soak to give its job back when the running segment ends: one that goes before
    it waits for the device, and the project lets soaks yield.
    """

    cancel: bool = False
    others_wait: bool = False
    lease_s: float


class Failure(_Message):
    """A job that could not be done.  `retry` is true when another try may end otherwise (the
    machine's fault), false when it cannot (the watched code's fault)."""

    kind: FailureKind
    message: Text = Field(max_length=4000)
    log: Text = Field(default="", max_length=60_000)
    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31)
    retry: bool = False
