"""The builds of a generated history and the work that measured them: runs, jobs, attempts, reports."""

from __future__ import annotations

import hashlib
import json
import uuid
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from benchmarks.cases import Case
from perfsite.demo.history.catalogue import KINDS, Kind, Row
from perfsite.demo.history.loading import id_next, rows_load
from perfsite.demo.history.story import Story
from perfsite.results.environments import environment_split
from perfsite.results.models import Environment, Report, Series
from perfsite.results.series import series_key
from perfsite.runs.models import Attempt, Build, Job, Project, Run, Worker

_JOB_TIME = timedelta(seconds=95)
_ILL_BUILDS = 40
_STAGES = (("checkout", 2.1), ("export", 11.4), ("build", 31.8), ("measure", 47.2))


@dataclass
class Work:
    """Ids by place: `builds[place]`, `jobs[(place, job)]`; `series` in the order of the rows."""

    story: Story
    project: Project
    jobs_rows: list[list[Row]]
    first_build: int
    first_job: int
    places: list[int]
    series: list[Series]

    def build_id(self, place: int) -> int:
        """The measured build at a place."""
        return self.first_build + self.places[place]

    def job_id(self, place: int, job: int) -> int:
        """The job that measured rows `job` of it."""
        return self.first_job + place * len(self.jobs_rows) + job


def work_load(
    *, story: Story, project: Project, jobs_rows: list[list[Row]], unstable: NDArray[np.bool_]
) -> Work:
    """Store builds, environments, workers, series, runs, jobs, attempts and reports of a story.

    `unstable` says which points are in doubt, shape (series, builds).
    """
    last = int(story.ordinals[-1])
    first_build = id_next(Build)
    _builds_load(story, project, first_build, last)
    kinds = [kind for kind in KINDS if any(rows[0].kind == kind for rows in jobs_rows)]
    workers = {kind: _workers(kind) for kind in kinds}
    environments = {kind: _environments(story, kind) for kind in kinds}
    series = _series(project, [row for rows in jobs_rows for row in rows])
    work = Work(
        story, project, jobs_rows, first_build, id_next(Job), [int(n) - 1 for n in story.ordinals], series
    )
    first_run = id_next(Run)
    rows_load(
        Run, ("id", "build", "device_class", "state", "created_at", "ended_at"), _runs(work, kinds, first_run)
    )
    ends = np.cumsum([len(rows) for rows in jobs_rows])[:-1]
    doubts = [part.sum(axis=0) for part in np.split(unstable, ends)]
    _jobs_load(work, kinds, first_run, workers, environments, doubts)
    return work


def _builds_load(story: Story, project: Project, first: int, last: int) -> None:
    names: tuple[str, ...] = (
        "id",
        "project",
        "branch",
        "sha",
        "parents",
        "ordinal",
        "subject",
        "author_name",
        "author_email",
    )
    names += ("committed_at", "is_head", "state", "reason", "plan_tries", "plan_due_at", "received_at")
    measured = set(story.ordinals.tolist())
    shas = [
        hashlib.sha256(f"{project.slug} {story.seed} {n}".encode()).hexdigest()[:40] for n in range(last + 1)
    ]

    def rows() -> Iterator[tuple[Any, ...]]:
        for ordinal in range(1, last + 1):
            author, moment = story.author(ordinal), story.moment(ordinal)
            is_measured = ordinal in measured
            state, reason = ("planned", "") if is_measured else ("skipped", "only documentation changed")
            mail = f"{author.split()[0].lower()}@example.org"
            parents = json.dumps([shas[ordinal - 1]] if ordinal > 1 else [])
            yield (
                first + ordinal - 1, project.pk, project.branch, shas[ordinal], parents, ordinal,
                story.subject(ordinal), author, mail, moment, True, state, reason, 1, moment, moment,
            )  # fmt: skip

    rows_load(Build, names, rows())


def _workers(kind: Kind) -> list[Worker]:
    """One worker per GPU of the kind."""
    now = timezone.now()
    return [
        Worker.objects.get_or_create(
            name=f"{kind.device_class}-{number}",
            defaults={
                "device_class": kind.device_class,
                "device_name": kind.gpu_name,
                "device_uuid": f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{kind.device_class}-{number}')}",
                "facts": {"price_per_hour": kind.price},
                "telemetry": {"gpu_temperature": 41.0 + number, "gpu_power": kind.watts / 6},
                "last_seen": now,
            },
        )[0]
        for number in range(1, kind.count + 1)
    ]


def _environments(story: Story, kind: Kind) -> tuple[list[int], list[Environment]]:
    """From which place on which environment."""
    places, rows = [], []
    for place, tools in story.versions(kind.device_class):
        facts = {"gpu_name": kind.gpu_name, "cpu_model": "AMD EPYC 9654", "python": "3.11.11", **tools}
        body = {"facts": facts, "missing": {}}
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        row, _ = Environment.objects.get_or_create(
            sha256=digest, defaults={**body, "split": environment_split(facts)}
        )
        places.append(place)
        rows.append(row)
    return places, rows


def _series(project: Project, rows: list[Row]) -> list[Series]:
    made = []
    for row in rows:
        fields = {
            "branch": project.branch,
            "device_class": row.kind.device_class,
            "split": f"gpu_name={row.kind.gpu_name}",
            "model": row.model,
            "runner": row.runner,
            "precision": row.precision,
            "shape": row.shape,
            "suite": row.suite,
            "metric": row.metric,
        }
        key = series_key(project_id=project.pk, fields=fields)
        made.append(Series(key=key, project=project, **fields))
    return Series.objects.bulk_create(made, batch_size=500)


def _runs(work: Work, kinds: list[Kind], first: int) -> Iterator[tuple[Any, ...]]:
    for place, ordinal in enumerate(work.story.ordinals.tolist()):
        start = work.story.moment(ordinal)
        for number, kind in enumerate(kinds):
            run_id = first + place * len(kinds) + number
            yield run_id, work.build_id(place), kind.device_class, "done", start, start + 9 * _JOB_TIME


@dataclass(frozen=True)
class _Slot:
    """One job's place in the history: the build's, and the job's among those of a build."""

    place: int
    number: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class _Jobs:
    """The jobs of a history and what their rows point to; `first_run` and the like are the first new ids."""

    work: Work
    kinds: list[Kind]
    slots: list[_Slot]
    workers: dict[Kind, list[Worker]]
    first_run: int
    first_attempt: int

    def id_of(self, slot: _Slot) -> int:
        return self.work.job_id(slot.place, slot.number)

    def kind_of(self, slot: _Slot) -> Kind:
        return self.work.jobs_rows[slot.number][0].kind

    def worker_of(self, slot: _Slot) -> Worker:
        here = self.workers[self.kind_of(slot)]
        return here[(slot.place + slot.number) % len(here)]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        specs = [json.dumps(_spec(rows)) for rows in self.work.jobs_rows]
        for slot in self.slots:
            row = self.work.jobs_rows[slot.number][0]
            run_id = self.first_run + slot.place * len(self.kinds) + self.kinds.index(row.kind)
            yield (
                self.id_of(slot), run_id, "measure", row.kind.device_class, "", row.model, row.precision,
                specs[slot.number], 0, "done", 1, "", "", "", "{}", False, slot.start, slot.start, slot.end,
            )  # fmt: skip

    def attempts(self) -> Iterator[tuple[Any, ...]]:
        for at, slot in enumerate(self.slots):
            job, worker, end = self.id_of(slot), self.worker_of(slot).pk, slot.end
            token = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.work.project.pk} {job}")
            yield (
                self.first_attempt + at, job, 1, worker, token, "reported", "", 0, slot.start, end, end, end,
            )  # fmt: skip

    def reports(
        self,
        first: int,
        environments: dict[Kind, tuple[list[int], list[Environment]]],
        doubts: list[NDArray[np.int64]],
    ) -> Iterator[tuple[Any, ...]]:
        stages = json.dumps([{"name": name, "seconds": seconds} for name, seconds in _STAGES])
        for at, slot in enumerate(self.slots):
            starts, rows = environments[self.kind_of(slot)]
            environment = rows[bisect_right(starts, slot.place) - 1].pk
            canary = _canary(self.work.story, slot.place, slot.number, self.worker_of(slot))
            count, unstable = len(self.work.jobs_rows[slot.number]), int(doubts[slot.number][slot.place])
            yield (
                first + at, self.id_of(slot), self.first_attempt + at, environment, "measure", "[]", stages,
                "[]", "[]", canary, count, count, unstable, slot.end, slot.end,
            )  # fmt: skip


_JOB_COLUMNS = (
    "id", "run", "kind", "device_class", "pin", "model", "precision", "spec", "priority", "state",
    "tries", "failure_kind", "failure", "log", "progress", "cancel_requested", "created_at",
    "started_at", "ended_at",
)  # fmt: skip
_ATTEMPT_COLUMNS = (
    "id", "job", "number", "worker", "token", "state", "reason", "exit_code", "claimed_at",
    "heartbeat_at", "lease_expires_at", "ended_at",
)  # fmt: skip
_REPORT_COLUMNS = (
    "id", "job", "attempt", "environment", "kind", "outcomes", "stages", "remarks", "comparisons",
    "canary", "points", "judged", "unstable", "received_at", "screened_at",
)  # fmt: skip


def _jobs_load(
    work: Work,
    kinds: list[Kind],
    first_run: int,
    workers: dict[Kind, list[Worker]],
    environments: dict[Kind, tuple[list[int], list[Environment]]],
    doubts: list[NDArray[np.int64]],
) -> None:
    slots = [
        _Slot(place, number, start, start + (number // len(kinds) + 1) * _JOB_TIME)
        for place, start in enumerate(map(work.story.moment, work.story.ordinals.tolist()))
        for number in range(len(work.jobs_rows))
    ]
    jobs = _Jobs(work, kinds, slots, workers, first_run, id_next(Attempt))
    first_report = id_next(Report)
    rows_load(Job, _JOB_COLUMNS, jobs.rows())
    rows_load(Attempt, _ATTEMPT_COLUMNS, jobs.attempts())
    rows_load(Report, _REPORT_COLUMNS, jobs.reports(first_report, environments, doubts))


def _canary(story: Story, place: int, number: int, worker: Worker) -> str:
    """The pinned computation before and after a job; the second GPU of a kind is ill in the last days."""
    rng = np.random.default_rng([story.seed, 4, place, number])
    is_ill = worker.name.endswith("-2") and story.builds - place < _ILL_BUILDS
    seconds = 0.0021 * (1.07 if is_ill else 1.0) * (1 + 0.002 * rng.standard_normal(2))
    return json.dumps(
        [
            {"when": when, "clock": "gpu", "seconds": round(float(value), 7), "n": 40}
            for when, value in zip(("before", "after"), seconds, strict=True)
        ]
    )


def _spec(rows: list[Row]) -> dict[str, Any]:
    """The order of a job: each case once."""
    cases = dict.fromkeys((row.runner, row.shape, row.suite) for row in rows)
    model, precision = rows[0].model, rows[0].precision
    written = [
        Case(model=model, runner=runner, precision=precision, suite=suite)
        .at_shape(shape)
        .model_dump(exclude_defaults=True)
        for runner, shape, suite in cases
    ]
    return {"source": {"kind": "entry", "ref": f"models/{model}.py:build"}, "cases": written}
