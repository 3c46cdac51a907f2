"""A whole generated history, stored in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.demo.history.catalogue import rows_make
from perfsite.demo.history.loading import columns_load, ids_settle, indexes_after, rows_settle
from perfsite.demo.history.samples import samples_store
from perfsite.demo.history.soaks import soaks_store
from perfsite.demo.history.story import Numbers, numbers_make, story_make
from perfsite.demo.history.verdicts import verdicts_load
from perfsite.demo.history.work import Work, work_load
from perfsite.results.models import Measurement, Report
from perfsite.runs.models import Attempt, Build, Job, Project, Run
from perfsite.runs.services import project_add

_FEWEST_BUILDS = 20
_BUILDS_AT_ONCE = 50
_SAMPLES = 1000


@dataclass(frozen=True)
class Made:
    """What was stored."""

    points: int
    series: int
    builds: int
    verdicts: int
    incidents: int


def history_generate(
    *, slug: str, series: int, builds: int, seed: int, until: datetime, samples: int = 0
) -> Made:
    """Make a public project with `series` series of `builds` measured builds each, the last one at `until`.

    The newest `samples` builds keep their raw samples, and so do the builds around the newest changes.
    Everything or nothing; the same arguments give the same numbers.

    Raises:
        PerfsiteError: the size is out of range, or the project exists.
    """
    if builds < _FEWEST_BUILDS:
        raise PerfsiteError(f"{builds} builds are no history: at least {_FEWEST_BUILDS}")
    if Project.objects.filter(slug=slug).exists():
        raise PerfsiteError(f"there is a project {slug!r} already: name another one with --project")
    jobs_rows = rows_make(series)
    rows = [row for job in jobs_rows for row in job]
    story = story_make(rows=rows, builds=builds, seed=seed, until=until)
    numbers = numbers_make(story, rows)
    with transaction.atomic():
        project = project_add(
            slug=slug, name="Generated history", repo=f"https://forge.example/acme/{slug}.git"
        )
        Project.objects.filter(pk=project.pk).update(is_public=True)
        work = work_load(story=story, project=project, jobs_rows=jobs_rows, unstable=numbers.unstable)
        with indexes_after(Measurement):
            columns_load(Measurement, _points(work, numbers))
        verdicts, incidents = verdicts_load(work=work, numbers=numbers)
        ids_settle([Build, Run, Job, Attempt, Report, Measurement])
        samples_store(work=work, numbers=numbers, builds=samples, count=_SAMPLES)
        soaks_store(work=work, kind=jobs_rows[0][0].kind)
    rows_settle()
    return Made(numbers.values.size, len(rows), builds, verdicts, incidents)


def _points(work: Work, numbers: Numbers) -> Iterator[dict[str, np.ndarray]]:
    """The measurements build by build, as they would have come in."""
    ids = np.array([row.pk for row in work.series])
    job_of = np.repeat(np.arange(len(work.jobs_rows)), [len(rows) for rows in work.jobs_rows])
    for first in range(0, work.story.builds, _BUILDS_AT_ONCE):
        places = np.arange(first, min(first + _BUILDS_AT_ONCE, work.story.builds))
        count = len(places)
        values = numbers.values[:, places].T.ravel()
        half = numbers.half[:, places].T.ravel()
        build_ids = np.array([work.build_id(int(place)) for place in places])
        yield {
            "series": np.tile(ids, count),
            "ordinal": np.repeat(work.story.ordinals[places], len(ids)),
            "value": values,
            "ci_low": values - half,
            "ci_high": values + half,
            "n": np.full(values.shape, _SAMPLES),
            "unstable": numbers.unstable[:, places].T.ravel(),
            "build": np.repeat(build_ids, len(ids)),
            "job": work.first_job + (places[:, None] * len(work.jobs_rows) + job_of[None, :]).ravel(),
        }
