"""From received builds to queued jobs: git tells the order, `perfsite.toml` tells what to measure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from perfsite.core.errors import ConfigError, RepositoryError
from perfsite.core.publish import wake_on_commit
from perfsite.core.text import text_clean
from perfsite.core.transition import state_swap
from perfsite.runs.commits import Commit
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.orders import job_row
from perfsite.runs.rules import BEHIND, config_at, groups_wanted
from perfsite.runs.selectors import device_classes_known
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_HEAD, build_skip, jobs_cancel, run_refresh
from perfsite.runs.states import BUILD_STATES
from workers.messages import WAKE_TASK, queue_name

log = logging.getLogger(__name__)

_WAKES_MOST = 8
_RETRY_FIRST = timedelta(seconds=10)
_RETRY_LONGEST = timedelta(hours=1)
_RETRY_GIVE_UP = 30  # tries: about a day


def builds_plan() -> int:
    """Plan every received build that is due, until none is left; returns how many were settled."""
    # a commit that was behind a head may become one itself: a branch is set back to it
    Build.objects.filter(state="skipped", reason=BEHIND, is_head=True).update(state="received", reason="")
    total = 0
    while settled := sum(_project_plan(project=project) for project in _projects_due()):
        total += settled
    return total


def builds_due() -> bool:
    """Whether a received build waits to be planned."""
    return _due().exists()


def _due() -> QuerySet[Build]:
    # delivered files need no repository: `files.py`
    return Build.objects.filter(state="received", plan_due_at__lte=timezone.now(), file=None)


def _projects_due() -> list[Project]:
    return list(Project.objects.filter(pk__in=_due().values("project_id")).order_by("pk"))


def _project_plan(*, project: Project) -> int:
    """Plan a project's builds, unless somebody else is at it: two at once could undo each other."""
    mirror = Mirror(project.repo, settings.MIRRORS)
    with mirror.claimed() as mine:
        builds = list(_due().filter(project=project).order_by("branch", "id")) if mine else []
        if not builds:
            return 0
        try:
            mirror.fetch()
            branches = groupby(builds, key=lambda build: build.branch)
            return sum(_branch_plan(project, branch, list(rows), mirror) for branch, rows in branches)
        except RepositoryError as error:
            log.warning("cannot plan %s: %s", project.slug, error)
            postpone(builds, str(error))
        except Exception:  # one project's oddity must not keep the others from being planned
            log.exception("planning %s failed", project.slug)
            postpone(builds, "planning failed inside the site; its log tells why")
    return 0


def _branch_plan(project: Project, branch: str, builds: Sequence[Build], mirror: Mirror) -> int:
    if Build.objects.filter(project=project, branch=branch, file__isnull=False).exists():
        reason = f"branch {branch} holds delivered files, and a commit has no place among them"
        return sum(build_skip(build=build, reason=reason) for build in builds)
    line = {sha: number for number, sha in enumerate(mirror.line(branch), start=1)}
    commits = mirror.commits([build.sha for build in builds])
    line_realign(project=project, branch=branch, line=line)
    settled = 0
    for build in builds:
        commit = commits.get(build.sha)
        if commit is None:
            postpone([build], f"commit {build.short} is not in {project.repo}; was it pushed there?")
            continue
        settled += _build_plan(mirror, build, commit, line)
    return settled


def _build_plan(mirror: Mirror, build: Build, commit: Commit, line: dict[str, int]) -> bool:
    """Plan one build; True when it left the state `received`."""
    _facts_fill(build, commit)
    if build.sha not in line:
        reason = (
            f"not on the first-parent line of {build.branch}: a merged side commit, "
            "or a force-push or a deletion took it away"
        )
        return build_skip(build=build, reason=reason)
    try:
        config = config_at(mirror=mirror, sha=build.sha)
        groups, reason = groups_wanted(
            mirror=mirror, build=build, commit=commit, config=config, line=list(line)
        )
    except RepositoryError as error:
        return postpone([build], str(error))
    except ConfigError as error:
        values = {"reason": str(error), "ordinal": line[build.sha]}
        return state_swap(build, to="failed", legal=BUILD_STATES, **values)
    if not groups:
        return state_swap(build, to="skipped", legal=BUILD_STATES, reason=reason, ordinal=line[build.sha])
    classes = list(config.devices or device_classes_known())
    if not classes:
        return postpone([build], "no worker has joined yet, so there is no device to measure on")
    return jobs_queue(build, line[build.sha], config, groups, classes)


def jobs_queue(
    build: Build, ordinal: int, config: Config, groups: Sequence[CaseGroup], classes: Sequence[str]
) -> bool:
    """Make the runs and jobs of a build, and wake the workers of its classes on commit."""
    priority = PRIORITY_HEAD if build.is_head else PRIORITY_BEHIND
    with transaction.atomic():
        if not state_swap(build, to="planned", legal=BUILD_STATES, reason="", ordinal=ordinal):
            return False
        for device_class in classes:
            run, _ = Run.objects.get_or_create(build=build, device_class=device_class)
            Job.objects.bulk_create(
                job_row(run=run, group=group, config=config, priority=priority) for group in groups
            )
            run_refresh(run_id=run.pk)
            for _ in groups[:_WAKES_MOST]:  # a wake-up is heard by one worker, and several may idle
                wake_on_commit(WAKE_TASK, queue=queue_name(device_class))
    return True


def line_realign(*, project: Project, branch: str, line: dict[str, int]) -> None:
    """After a force-push: builds that left the branch lose their place and points, the others move.

    An empty line is a branch that is gone, not one without commits: what was measured stays.
    """
    if not line:
        return
    placed = Build.objects.filter(project=project, branch=branch, ordinal__isnull=False, file=None)
    moved = [
        build
        for build in placed.only("pk", "sha", "ordinal", "state")
        if line.get(build.sha) != build.ordinal
    ]
    if not moved:
        return
    reason = f"a force-push or a deletion took this commit off {branch}"
    with transaction.atomic():
        pks = [build.pk for build in moved]
        # two steps: a place must be free before another build takes it
        Build.objects.filter(pk__in=pks).update(ordinal=None)
        for build in moved:
            build.points.all().delete()
            if build.sha in line:
                Build.objects.filter(pk=build.pk).update(ordinal=line[build.sha])
            else:
                Build.objects.filter(pk=build.pk).update(state="skipped", reason=reason)
    jobs_cancel(build_ids=[build.pk for build in moved if build.sha not in line])


def _facts_fill(build: Build, commit: Commit) -> None:
    """Git is the truth about a commit; the webhook only told of it first."""
    facts = {
        "parents": list(commit.parents),
        "subject": text_clean(commit.subject)[:300],
        "author_name": text_clean(commit.author_name)[:200],
        "author_email": text_clean(commit.author_email)[:254],
        "committed_at": commit.committed_at,
    }
    Build.objects.filter(pk=build.pk).update(**facts)


def postpone(builds: Sequence[Build], reason: str) -> bool:
    """Try again later, ever less often, and fail with the reason after about a day; always False."""
    for build in builds:
        tries = build.plan_tries + 1
        if tries >= _RETRY_GIVE_UP:
            state_swap(build, to="failed", legal=BUILD_STATES, reason=reason, plan_tries=tries)
            continue
        wait = min(_RETRY_FIRST * 2 ** min(build.plan_tries, 12), _RETRY_LONGEST)
        Build.objects.filter(pk=build.pk, state="received").update(
            reason=reason, plan_tries=tries, plan_due_at=timezone.now() + wait
        )
    return False
