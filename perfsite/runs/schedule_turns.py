"""What a schedule's turn queues, little by little: a job for each device, within the day's minutes.

So a push never waits behind a night's whole matrix, and a turn that is cut short by its budget goes on with
the next day's minutes until the next turn begins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from benchmarks.cases import Case, ModelSource
from perfsite.core.errors import ConfigError, RepositoryError
from perfsite.core.publish import wake_on_commit
from perfsite.runs.calendar import day_start, zone_get
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.file_told import FileFormat, file_config, file_groups
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import (
    Attempt,
    Build,
    BuildFile,
    Job,
    Run,
    Schedule,
    ScheduledJob,
    ScheduleTurn,
    Worker,
)
from perfsite.runs.orders import job_row
from perfsite.runs.rules import config_at
from perfsite.runs.selectors import device_classes_known
from perfsite.runs.services import PRIORITY_SCHEDULE, run_refresh
from perfsite.runs.states import JOB_ENDED
from workers.messages import WAKE_TASK, queue_name

log = logging.getLogger(__name__)

_ALIVE = timedelta(minutes=10)
CANARY = "canary"


@dataclass(frozen=True)
class _Wanted:
    """One job that a turn wants: its group on a device class, and its place in the turn."""

    place: str
    device_class: str
    group: CaseGroup


def turns_step(*, now: datetime) -> int:
    """Go on with every open turn; returns how many jobs were queued."""
    rows = ScheduleTurn.objects.filter(state="open").values_list("pk", flat=True).order_by("id")
    return sum(_turn_try(key, now) for key in list(rows))


def _turn_try(turn_id: int, now: datetime) -> int:
    """Go on with one turn; one's oddity must not keep the others from going on."""
    try:
        return _turn_step(turn_id, now)
    except Exception:
        log.exception("turn %d of a schedule failed; it is tried again", turn_id)
        return 0


def _turn_step(turn_id: int, now: datetime) -> int:
    turn = _open_turns().filter(pk=turn_id).first()
    if turn is None:  # ended or removed meanwhile
        return 0
    build = turn.build or _newest_build(turn)
    if build is None:
        return _end(turn, now, f"nothing was pushed to {turn.schedule.project.branch} yet")
    try:
        config, every = _asked_for(build)  # git is read before anything is locked
    except (ConfigError, RepositoryError) as error:
        return _end(turn, now, str(error))
    return _turn_go_on(turn_id, build, config, every, now)


def _open_turns() -> QuerySet[ScheduleTurn]:
    return ScheduleTurn.objects.filter(state="open").select_related("schedule__project", "build")


@transaction.atomic
def _turn_go_on(turn_id: int, build: Build, config: Config, every: Sequence[CaseGroup], now: datetime) -> int:
    turn = _open_turns().select_for_update(of=("self",)).filter(pk=turn_id).first()
    if turn is None or turn.build_id not in (None, build.pk):  # another process went on with it meanwhile
        return 0
    wanted = _wanted(turn, build, config, every)
    turn.build = build
    jobs = list(Job.objects.filter(scheduled__turn=turn))
    known = set(ScheduledJob.objects.filter(turn=turn).values_list("place", flat=True))
    left = [one for one in wanted if one.place not in known]
    turn.wanted = len(known) + len(left)
    if not left and all(job.state in JOB_ENDED for job in jobs):
        why = "" if known else f"{build.short} has been measured with all of it already"
        turn.save()
        return _end(turn, now, why)
    spent = minutes_spent(turn, now)
    if left and spent >= turn.schedule.minutes_per_day:
        turn.reason = (
            f"the {turn.schedule.minutes_per_day:g} device minutes of the day are spent; "
            f"{len(left)} of {turn.wanted} jobs wait for the next day"
        )
        turn.save()
        return 0
    turn.reason = ""
    turn.save()
    return sum(_queue(turn, build, one, config) for one in _room(left, jobs, now))


def _newest_build(turn: ScheduleTurn) -> Build | None:
    """The newest build of the project's branch that has its place, measured or not."""
    line = Build.objects.filter(project=turn.schedule.project, branch=turn.schedule.project.branch)
    placed = line.filter(ordinal__isnull=False, state__in=("planned", "skipped"))
    return placed.order_by("-ordinal").first()


def _asked_for(build: Build) -> tuple[Config, Sequence[CaseGroup]]:
    """What the repository's file, or the delivery's, asks for."""
    told = BuildFile.objects.filter(build=build).first()
    if told is not None:
        config = file_config(model=told.model, rules=told.rules)
        return config, file_groups(config, file_format=_format(told.format))
    mirror = Mirror(build.project.repo, settings.MIRRORS)
    config = config_at(mirror=mirror, sha=build.sha)
    return config, config.groups()


def _wanted(turn: ScheduleTurn, build: Build, config: Config, every: Sequence[CaseGroup]) -> list[_Wanted]:
    """What the turn is about and the build was not measured with yet; the canary always."""
    groups = _KINDS[turn.schedule.what](every)
    only = turn.schedule.device_class
    classes = [only] if only else list(config.devices or device_classes_known())
    found = []
    for name in classes:
        known = _measured(turn, build, name)
        for number, group in enumerate(groups):
            if turn.schedule.what == CANARY or _key(group) not in known:
                found.append(_Wanted(f"{name}/{number}", name, group))
    return found


def _format(word: str) -> FileFormat:
    return "engine" if word == "engine" else "onnx"


def _key(group: CaseGroup) -> tuple[str, str, str]:
    """What tells a group from the others of its build: a soak is a group by itself."""
    label = group.cases[0].label if group.is_soak else ""
    return group.model, group.precision, label


def _measured(turn: ScheduleTurn, build: Build, device_class: str) -> set[tuple[str, str, str]]:
    """The groups that other jobs of the build measure or measured; failed ones are tried again."""
    jobs = Job.objects.filter(
        run__build=build, device_class=device_class, kind__in=(Job.Kind.MEASURE, Job.Kind.SOAK)
    )
    others = jobs.exclude(state__in=("failed", "cancelled")).exclude(scheduled__turn=turn)
    return {
        (
            job.model,
            job.precision,
            Case.model_validate(job.spec["cases"][0]).label if job.kind == Job.Kind.SOAK else "",
        )
        for job in others
    }


def _canary_group(_: Sequence[CaseGroup]) -> list[CaseGroup]:
    """The shortest job: each job times the pinned canary before and after itself."""
    case = Case(model=CANARY, runner="torch", suite="latency", duration_s=1.0)
    return [CaseGroup(CANARY, ModelSource(kind="catalogue", ref="tiny-cnn"), "fp32", (case,))]


_KINDS: dict[str, Callable[[Sequence[CaseGroup]], list[CaseGroup]]] = {
    "full": lambda groups: [group for group in groups if not group.is_soak],
    "soak": lambda groups: [group for group in groups if group.is_soak],
    CANARY: _canary_group,
}


def _room(left: Sequence[_Wanted], jobs: Sequence[Job], now: datetime) -> list[_Wanted]:
    """Those to queue now: of each class as many as it has living devices, less what is under way."""
    chosen: list[_Wanted] = []
    for name in dict.fromkeys(one.device_class for one in left):
        alive = Worker.objects.filter(device_class=name, last_seen__gte=now - _ALIVE).count()
        under_way = sum(job.device_class == name and job.state not in JOB_ENDED for job in jobs)
        free = max(alive, 1) - under_way
        chosen += [one for one in left if one.device_class == name][: max(free, 0)]
    return chosen


def _queue(turn: ScheduleTurn, build: Build, one: _Wanted, config: Config) -> int:
    run, _ = Run.objects.get_or_create(build=build, device_class=one.device_class)
    job = job_row(run=run, group=one.group, config=config, priority=PRIORITY_SCHEDULE)
    job.save()
    ScheduledJob.objects.create(turn=turn, job=job, place=one.place)
    if build.state == "skipped":
        Build.objects.filter(pk=build.pk, state="skipped").update(state="planned", reason="")
    run_refresh(run_id=run.pk)
    wake_on_commit(WAKE_TASK, queue=queue_name(one.device_class))
    return 1


def minutes_spent(turn: ScheduleTurn, now: datetime) -> float:
    """Device minutes that the schedule's jobs took since its local midnight, every try of them."""
    return schedules_spent([turn.schedule], now)[turn.schedule_id]


def schedules_spent(schedules: Sequence[Schedule], now: datetime) -> dict[int, float]:
    """Device minutes of each schedule since its own local midnight, by its key, in one query."""
    midnights = {row.pk: day_start(now, zone_get(row.time_zone)) for row in schedules}
    tries = Attempt.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=min(midnights.values(), default=now)),
        job__scheduled__turn__schedule__in=midnights,
    )
    spent = dict.fromkeys(midnights, timedelta())
    for key, start, end in tries.values_list("job__scheduled__turn__schedule", "claimed_at", "ended_at"):
        spent[key] += max((end or now) - max(start, midnights[key]), timedelta())
    return {key: total.total_seconds() / 60.0 for key, total in spent.items()}


def _end(turn: ScheduleTurn, now: datetime, reason: str) -> int:
    ScheduleTurn.objects.filter(pk=turn.pk, state="open").update(state="ended", reason=reason, ended_at=now)
    return 0
