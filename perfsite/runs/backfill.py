"""Measuring builds after the event: those that were skipped, or never measured on a device class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.core.publish import wake_on_commit
from perfsite.core.transition import state_swap
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.orders import job_row
from perfsite.runs.rules import config_at, models_concerned
from perfsite.runs.selectors import device_classes_known
from perfsite.runs.services import PRIORITY_BEHIND, job_again, run_refresh
from perfsite.runs.states import BUILD_STATES
from workers.messages import WAKE_TASK, queue_name

MOST_BUILDS = 200  # of one order: each is read from git, and each costs a device minutes


class BackfillError(PerfsiteError):
    """A build cannot be measured after the event; the message says why."""


@dataclass(frozen=True)
class Wish:
    """What to measure of a build; an empty field stands for whatever its `perfsite.toml` says.

    `ordered_by` is kept in the job's order: `request`, or `search` where the site needs it itself.
    """

    device_class: str = ""
    model: str = ""
    precision: str = ""
    ordered_by: str = "request"


@dataclass
class Backfill:
    """What became of an order: the jobs it queued, and the builds it cannot measure with the reason."""

    jobs: list[Job] = field(default_factory=list)
    refused: list[tuple[Build, str]] = field(default_factory=list)


def backfill_order(*, project: Project, builds: Sequence[Build], wish: Wish | None = None) -> Backfill:
    """Queue measure jobs for placed builds, behind everything else but soaks; what exists stays as it is.

    As in planning, each commit's own `perfsite.toml` says what is measured: the models that its changes
    concern, and where they concern none, all of them.  Soaks are left out.  Ordered twice, it queues once.

    Raises:
        PerfsiteError: there are more than `MOST_BUILDS` builds.
    """
    if len(builds) > MOST_BUILDS:
        raise PerfsiteError(
            f"{len(builds)} builds are too many for one order; ask for at most {MOST_BUILDS} at a time"
        )
    mirror = Mirror(project.repo, settings.MIRRORS)
    done = Backfill()
    for build in builds:
        try:
            done.jobs += _build_order(mirror, build, wish or Wish())
        except PerfsiteError as error:
            done.refused.append((build, str(error)))
    return done


def builds_placed(*, project: Project, first: int, last: int, branch: str = "") -> list[Build]:
    """The builds of a branch from one ordinal to another, both included, in order."""
    line = Build.objects.filter(project=project, branch=branch or project.branch)
    return list(line.filter(ordinal__gte=first, ordinal__lte=last).order_by("ordinal"))


def _build_order(mirror: Mirror, build: Build, wish: Wish) -> list[Job]:
    """The jobs that were queued for one build."""
    if build.ordinal is None:
        raise BackfillError(f"{build.short} has no place on {build.branch}, so its points would have none")
    config = config_at(mirror=mirror, sha=build.sha)
    groups = _groups(mirror, build, config, wish)
    classes = [wish.device_class] if wish.device_class else config.devices or device_classes_known()
    if not classes:
        raise BackfillError("no worker has joined yet, so there is no device to measure on")
    with transaction.atomic():
        # one at a time: of two orders the second finds the first one's jobs
        fresh = Build.objects.select_for_update().get(pk=build.pk)
        _build_open(fresh)
        return [job for name in classes for job in _class_fill(fresh, name, groups, config, wish.ordered_by)]


def _groups(mirror: Mirror, build: Build, config: Config, wish: Wish) -> list[CaseGroup]:
    if wish.model and wish.model not in config.models:
        raise BackfillError(f"perfsite.toml at {build.short} has no model {wish.model!r}")
    models: Sequence[str] = (wish.model,)
    if not wish.model:
        commit = mirror.commits([build.sha]).get(build.sha)
        if commit is None:
            raise BackfillError(f"commit {build.short} is not in {mirror.repo} any more")
        models = models_concerned(mirror=mirror, commit=commit, config=config) or config.models
    groups = [group for group in config.groups(set(models)) if not group.is_soak]
    wanted = [group for group in groups if wish.precision in ("", group.precision)]
    if not wanted:
        what = "/".join(part for part in (wish.model, wish.precision) if part) or "any model"
        raise BackfillError(f"perfsite.toml at {build.short} measures nothing of {what} but soaks")
    return wanted


def _build_open(build: Build) -> None:
    """Let a skipped build have jobs; call it with the row locked."""
    if build.ordinal is None:
        raise BackfillError(f"{build.short} has just left {build.branch}")
    if build.state == "skipped":
        state_swap(build, to="planned", legal=BUILD_STATES, reason="")
    elif build.state != "planned":
        raise BackfillError(f"{build.short} is {build.state}: {build.reason or 'its planning comes first'}")


def _class_fill(
    build: Build, device_class: str, groups: Sequence[CaseGroup], config: Config, ordered_by: str
) -> list[Job]:
    """Queue what the build lacks on one device class; what failed or was cancelled is queued again."""
    run, _ = Run.objects.get_or_create(build=build, device_class=device_class)
    known = {(job.model, job.precision): job for job in run.jobs.filter(kind=Job.Kind.MEASURE)}
    queued = []
    for group in groups:
        job = known.get((group.model, group.precision))
        if job is None:
            job = job_row(run=run, group=group, config=config, priority=PRIORITY_BEHIND)
            job.spec["backfill"] = ordered_by
            job.save()
            wake_on_commit(WAKE_TASK, queue=queue_name(device_class))
        elif not job_again(job=job):
            continue
        queued.append(job)
    run_refresh(run_id=run.pk)
    return queued
