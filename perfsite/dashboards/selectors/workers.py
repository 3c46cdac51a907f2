"""Workers as cards: what each one is, what it does, how it feels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Prefetch

from benchmarks.metrics import format_bytes
from perfsite.dashboards.selectors.jobs import LiveJob
from perfsite.runs.models import Attempt, Job, Project, Worker

# telemetry by name: its title, the factor to the unit it is shown in, the form
_READINGS = {
    "gpu_temperature": ("Temperature", 1.0, "{:.0f} °C"),
    "gpu_power": ("Power", 1.0, "{:.0f} W"),
    "gpu_sm_clock": ("SM clock", 1e-6, "{:.0f} MHz"),
    "gpu_memory_clock": ("Memory clock", 1e-6, "{:.0f} MHz"),
}


@dataclass(frozen=True)
class Reading:
    """One value of a worker's telemetry; `share` is 0 to 1 where it is a part of a whole."""

    name: str
    text: str
    share: float | None = None


@dataclass(frozen=True)
class WorkerCard:
    """A worker with what it runs now; `is_elsewhere` where that is not for this person's eyes."""

    worker: Worker
    live: LiveJob | None
    is_elsewhere: bool
    is_here: bool
    readings: tuple[Reading, ...]
    facts: tuple[tuple[str, object], ...]


def worker_cards(*, now: datetime, projects: Iterable[Project]) -> list[WorkerCard]:
    """Every worker, those that are here first, with its job where that is one of these projects'.

    A worker that was silent for a lease term is away.
    """
    alive = Attempt.objects.filter(state="running").select_related("job__run__build__project")
    workers = Worker.objects.prefetch_related(Prefetch("attempts", queryset=alive, to_attr="alive"))
    horizon = now - timedelta(seconds=settings.LEASE_SECONDS)
    shown = {project.pk for project in projects}
    cards = [_card(worker, horizon, shown) for worker in workers.order_by("device_class", "name")]
    return sorted(cards, key=lambda card: not card.is_here)


def worker_is_here(*, now: datetime) -> bool:
    """Whether any worker was heard of within a lease term."""
    return Worker.objects.filter(last_seen__gte=now - timedelta(seconds=settings.LEASE_SECONDS)).exists()


def _card(worker: Worker, horizon: datetime, shown: Collection[int]) -> WorkerCard:
    attempts: list[Attempt] = getattr(worker, "alive", [])
    live = LiveJob(attempts[0].job, attempts[0]) if attempts else None
    is_elsewhere = live is not None and live.job.run.build.project_id not in shown
    is_here = worker.last_seen >= horizon
    readings = tuple(_reading(name, value) for name, value in sorted(worker.telemetry.items()) if is_here)
    live = None if is_elsewhere else live
    return WorkerCard(worker, live, is_elsewhere, is_here, readings, tuple(sorted(worker.facts.items())))


def _reading(name: str, value: float | None) -> Reading:
    """One value for people; a name that has no row is shown by its own words."""
    words = name.replace("_", " ")
    title = (words[:1].upper() + words[1:]).replace("Gpu", "GPU").replace("Cpu", "CPU")
    if name in _READINGS:
        title, factor, form = _READINGS[name]
        return Reading(title, "not read" if value is None else form.format(value * factor))
    if value is None:
        return Reading(title, "not read")
    if name.endswith("utilisation"):
        return Reading(title, f"{100 * value:.0f} %", min(max(value, 0.0), 1.0))
    return Reading(title, format_bytes(value) if name.endswith("memory") else f"{value:g}")


def workers_unserved(*, now: datetime) -> list[str]:
    """Device classes with a queued job but no worker that is here: nothing will take those jobs."""
    here = Worker.objects.filter(last_seen__gte=now - timedelta(seconds=settings.LEASE_SECONDS))
    waiting = Job.objects.filter(state="queued").exclude(device_class__in=here.values("device_class"))
    return sorted(set(waiting.values_list("device_class", flat=True)))
