"""Soaks of a generated history's newest build: one leaks, one does not, one is slowed by heat."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks.cases import Case
from benchmarks.metrics import format_bytes
from benchmarks.soak_readings import (
    SoakCounter,
    SoakGauge,
    SoakReadings,
    SoakSegment,
    readings_name,
)
from perfsite.demo.history.catalogue import MODELS, Kind, Model
from perfsite.demo.history.samples import artifact_make
from perfsite.demo.history.work import Work
from perfsite.results.models import Report
from perfsite.runs.models import Attempt, Job, Run, Worker

_HOURS, _SEGMENTS, _READINGS = 4.0, 16, 640
_MEMORY = 80e9  # bytes of the GPU
_THROTTLED_FROM = 0.55  # of the soak, where its GPU gets too hot


@dataclass(frozen=True)
class _Tale:
    """What a soak shows: bytes leaked on the GPU per iteration, how much slower it is at the end."""

    model: Model
    leak: float = 0.0
    slowed: float = 0.0


_TALES = (_Tale(MODELS[1], leak=1536.0), _Tale(MODELS[0]), _Tale(MODELS[2], slowed=0.11))


def soaks_store(*, work: Work, kind: Kind) -> int:
    """Store a soak per tale in the newest build's run on devices of this kind; how many."""
    run = Run.objects.get(build_id=work.build_id(work.story.builds - 1), device_class=kind.device_class)
    worker = Worker.objects.filter(device_class=kind.device_class).order_by("name")[0]
    environment = Report.objects.filter(job__run=run)[0].environment_id
    for number, tale in enumerate(_TALES):
        rng = np.random.default_rng([work.story.seed, 6, number])
        case = Case(
            model=tale.model.name, runner="torch", precision="fp16", suite="soak", duration_s=_HOURS * 3600
        )
        readings = _readings(tale, case, kind, rng)
        job = _job(run, case, kind)
        token = uuid.uuid5(uuid.NAMESPACE_OID, f"soak {work.project.pk} {job.pk}")
        end = run.created_at + timedelta(hours=_HOURS)
        times = {"claimed_at": run.created_at, "heartbeat_at": end, "ended_at": end, "lease_expires_at": end}
        attempt = Attempt.objects.create(
            job=job,
            number=1,
            worker=worker,
            token=token,
            state="reported",
            **times,
        )
        Report.objects.create(
            job=job, attempt=attempt, environment_id=environment, kind="measure",
            remarks=_remarks(tale, case, readings), received_at=end, screened_at=end,
        )  # fmt: skip
        artifact_make(job.pk, readings_name(case), "other", readings.model_dump_json().encode()).save()
    return len(_TALES)


def _job(run: Run, case: Case, kind: Kind) -> Job:
    spec = {
        "source": {"kind": "entry", "ref": f"models/{case.model}.py:build"},
        "cases": [case.model_dump(exclude_defaults=True)],
    }
    return Job.objects.create(
        run=run, device_class=kind.device_class, model=case.model, precision=case.precision, spec=spec,
        state="done", tries=1, created_at=run.created_at, started_at=run.created_at,
        ended_at=run.created_at + timedelta(hours=_HOURS),
    )  # fmt: skip


def _readings(tale: _Tale, case: Case, kind: Kind, rng: np.random.Generator) -> SoakReadings:
    each = _READINGS // _SEGMENTS
    span = case.duration_s / _SEGMENTS
    at = np.linspace(case.duration_s / _READINGS, case.duration_s, _READINGS)
    hot = (
        np.clip((at / case.duration_s - _THROTTLED_FROM) / 0.08, 0.0, 1.0)
        if tale.slowed
        else np.zeros_like(at)
    )
    rate = (
        kind.speed
        / (1.9 * tale.model.base_s)
        * (1 - tale.slowed * hot)
        * (1 + 0.004 * rng.standard_normal(at.size))
    )
    done = (rate.reshape(_SEGMENTS, each).cumsum(axis=1) * span / each).astype(int)
    heap = 2.1e9 + 2e4 * rng.exponential(1.0, at.size)
    held = 1.2 * tale.model.memory + tale.leak * done.ravel() + 2e5 * rng.integers(0, 3, at.size)
    warm = 1 - np.exp(-at / 420)
    heat = 38 + 27 * warm + 17 * hot + 0.5 * rng.standard_normal(at.size)
    ended = case.duration_s
    per_second = tale.leak * float(rate.mean())
    room = (_MEMORY - 1.2 * tale.model.memory) / per_second if per_second else None
    drift = float(rate[-40:].mean() / rate[:40].mean() - 1)
    return SoakReadings(
        case=case,
        at_s=_rounded(at),
        iterations=tuple(done.ravel().tolist()),
        rates=_rounded(rate),
        segments=tuple(_segment(number, each, span) for number in range(_SEGMENTS)),
        counters=(
            _counter("host_heap", "memory that C's allocator gave out", "host", heap, 0.0),
            _counter("gpu_allocated", "memory that the GPU allocator gave out", "gpu", held, tale.leak),
        ),
        gauge=SoakGauge(
            at_s=_rounded(at),
            temperature=_rounded(heat),
            power=_rounded(kind.watts * (0.35 + 0.6 * warm - 0.12 * hot) + 4 * rng.standard_normal(at.size)),
            sm_clock=_rounded(1.98e9 - 2.2e8 * hot),
        ),
        drift=drift, drift_low=drift - 0.004, drift_high=drift + 0.004,
        out_of_memory_s=room,
        out_of_memory_low_s=room and min(room * 0.985, ended * 100),
        out_of_memory_high_s=room and room * 1.015,
    )  # fmt: skip


def _segment(number: int, each: int, span: float) -> SoakSegment:
    return SoakSegment(first=number * each, start_s=number * span, ended="done")


def _counter(name: str, words: str, memory: Any, values: np.ndarray, leak: float) -> SoakCounter:
    slopes = (leak, 0.985 * leak, 1.015 * leak) if leak else (0.0, -0.4, 0.4)
    return SoakCounter(
        name=name, words=words, memory=memory, values=tuple(int(value) for value in values),
        verdict="leak" if leak else "steady", slope=slopes[0], slope_low=slopes[1], slope_high=slopes[2],
    )  # fmt: skip


def _remarks(tale: _Tale, case: Case, readings: SoakReadings) -> list[dict[str, Any]]:
    told = []
    if tale.leak:
        told.append(
            f"memory that the GPU allocator gave out grows by {format_bytes(tale.leak)} per iteration; "
            "tensors are kept: look for what holds a reference to an output or to its graph"
        )
    if tale.slowed:
        told.append(
            f"throughput fell by {-(readings.drift or 0):.1%} from the start to the end; "
            "look at heat, clocks and other work on the machine"
        )
    plain = case.model_dump(mode="json")
    return [{"code": "soak", "sentence": text, "unstable": False, "case": plain} for text in told]


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
