"""Writes of projects, builds and runs.

Jobs' attempts are in `lease.py`, claiming is in `queue.py`, ordering jobs of two builds in `comparing.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.core.publish import wake_on_commit
from perfsite.core.transition import state_swap
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.projects import RESERVED, branch_checked, owner_email_checked
from perfsite.runs.states import BUILD_STATES, JOB_ENDED, JOB_STATES, run_state
from workers.messages import WAKE_TASK, queue_name

# over HTTP a name alone may be a forge's token; over SSH it is only who logs in
_CREDENTIALS = re.compile(r"^(https?://[^/@]+@|[a-z+]+://[^/@]*:[^/@]+@)", re.IGNORECASE)

# A confirmation is short and ends somebody's wait, so it goes before new heads: the other way
# round a busy project would never confirm anything.
PRIORITY_COMPARE = 30
PRIORITY_HEAD = 20
PRIORITY_BEHIND = 10
PRIORITY_SCHEDULE = 5  # by the clock: nobody waits, and it never ages
PRIORITY_SOAK = 0  # hours: behind everything, and it never ages
# the reason is the mark too: such a build is planned when a push tells of it
ELSEWHERE = "known from results measured elsewhere; no push told of it"


def project_add(
    *,
    slug: str,
    repo: str,
    branch: str = "main",
    secret: str = "",
    owner_email: str = "",
    name: str = "",
    is_public: bool = False,
) -> Project:
    """Start to watch a repository; a path on this machine is kept as an absolute one.

    Raises:
        PerfsiteError: the slug is taken, or is none; branch or address make no sense.
    """
    try:
        validate_slug(slug)
    except ValidationError:
        raise PerfsiteError(
            f"{slug!r} cannot stand in a URL; use letters, digits, hyphens and underscores"
        ) from None
    if slug in RESERVED:
        raise PerfsiteError(f"{slug!r} is a word of the site's own addresses; choose another slug")
    if _CREDENTIALS.match(repo):
        raise PerfsiteError(
            "the repository's URL holds a name or password before its @, which may be a token, and URLs are "
            "shown on pages and in logs; leave it out and use SSH, or a git credential helper on the site "
            "and the workers"
        )
    if Path(repo).expanduser().exists():
        repo = str(Path(repo).expanduser().resolve())  # git runs in other folders than this command
    project = Project(
        slug=slug,
        name=name or slug,
        repo=repo,
        branch=branch_checked(branch),
        owner_email=owner_email_checked(owner_email),
        is_public=is_public,
    )
    if secret:
        project.webhook_secret = secret
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError:  # the database says whether a slug is free, also to two at once
        raise PerfsiteError(f"there is a project {slug!r} already; choose another slug") from None
    return project


def builds_receive(*, project: Project, branch: str, commits: Sequence[Commit], head: str) -> list[Build]:
    """Note the commits of a push as builds, once each; planning is woken on commit.

    Returns the builds in the order given, those that were known included.
    """
    rows = [_build_row(project, branch, commit, head) for commit in commits]
    Build.objects.bulk_create(rows, ignore_conflicts=True)
    here = Build.objects.filter(project=project, branch=branch)
    shas = [commit.sha for commit in commits]
    known = {build.sha: build for build in here.filter(sha__in=shas)}
    if any(_differs(build, head) for build in known.values()):
        _receive_again(here, shas, head)
        known = {build.sha: build for build in here.filter(sha__in=shas)}
    wake_on_commit("runs.plan")
    return [known[commit.sha] for commit in commits]


def _differs(build: Build, head: str) -> bool:
    """Whether a build that a push tells of is not as a new one is."""
    return build.state != "received" or (build.sha == head and not build.is_head)


def _receive_again(here: QuerySet[Build], shas: Sequence[str], head: str) -> None:
    """What a push changes in builds that were known before it."""
    here.filter(sha=head, is_head=False).update(is_head=True)
    # a build that never got its place is planned anew when its commit is pushed again
    here.filter(sha__in=shas, state__in=("skipped", "failed"), ordinal=None).update(
        state="received", reason="", plan_tries=0, plan_due_at=timezone.now()
    )
    # so is one that is known only from results measured elsewhere
    here.filter(sha__in=shas, state="planned", reason=ELSEWHERE).update(
        state="received", reason="", plan_tries=0, plan_due_at=timezone.now()
    )


def _build_row(project: Project, branch: str, commit: Commit, head: str) -> Build:
    return Build(
        project=project,
        branch=branch,
        sha=commit.sha,
        parents=list(commit.parents),
        subject=commit.subject[:300],
        author_name=commit.author_name[:200],
        author_email=commit.author_email[:254],
        committed_at=commit.committed_at,
        is_head=commit.sha == head,
    )


def build_note(*, project: Project, branch: str, commit: Commit) -> Build:
    """The build of a commit that is compared but has no place on a branch of its own: never planned."""
    row = _build_row(project, branch, commit, head="")
    row.state = "planned"
    Build.objects.bulk_create([row], ignore_conflicts=True)
    return Build.objects.get(project=project, branch=branch, sha=commit.sha)


def branch_delete(*, project: Project, branch: str) -> None:
    """A branch is gone: what waits to be planned or measured for it is not worth a GPU any more."""
    reason = f"branch {branch} was deleted before this build was measured"
    Build.objects.filter(project=project, branch=branch, state="received").update(
        state="skipped", reason=reason
    )
    builds = Build.objects.filter(project=project, branch=branch)
    transaction.on_commit(partial(jobs_cancel, build_ids=list(builds.values_list("pk", flat=True))))


def jobs_cancel(*, build_ids: Sequence[int]) -> None:
    """Cancel what waits or runs for these builds, each by itself: two locks at once could deadlock."""
    open_jobs = Job.objects.filter(run__build_id__in=build_ids, state__in=("queued", "running"))
    for job in open_jobs.order_by("id"):
        job_cancel(job=job)


def build_skip(*, build: Build, reason: str) -> bool:
    """Close a build without measuring it; pages show the reason."""
    return state_swap(build, to="skipped", legal=BUILD_STATES, reason=reason)


@transaction.atomic(savepoint=False)
def run_refresh(*, run_id: int) -> None:
    """Derive a run's state from its jobs; call it in the transaction that changed one of them."""
    run = Run.objects.select_for_update().get(pk=run_id)  # two jobs may end at once
    state = run_state(Job.objects.filter(run_id=run_id).values_list("state", flat=True))
    ended = timezone.now() if state in JOB_ENDED else None
    if state != run.state:
        Run.objects.filter(pk=run_id).update(state=state, ended_at=ended)


@transaction.atomic
def job_cancel(*, job: Job) -> None:
    """Cancel a job: at once when it waits, by asking its worker when it runs; ended ones stay."""
    fresh = Job.objects.select_for_update().get(pk=job.pk)  # it may have been queued again meanwhile
    if fresh.state == "queued":
        state_swap(
            fresh, to="cancelled", legal=JOB_STATES, ended_at=timezone.now(), failure="cancelled by request"
        )
        run_refresh(run_id=fresh.run_id)
    elif fresh.state == "running":
        Job.objects.filter(pk=fresh.pk).update(cancel_requested=True)


def run_cancel(*, run: Run) -> None:
    """Cancel every job of a run that has not ended."""
    for job in run.jobs.exclude(state__in=JOB_ENDED):
        job_cancel(job=job)


def job_again(*, job: Job) -> bool:
    """Queue a failed or cancelled job once more with fresh tries; False when it is in another state."""
    if job.state not in ("failed", "cancelled"):
        return False
    with transaction.atomic():
        moved = state_swap(
            job,
            to="queued",
            legal=JOB_STATES,
            tries=0,
            failure="",
            failure_kind="",
            cancel_requested=False,
            ended_at=None,
            progress={},
        )
        if moved:
            run_refresh(run_id=job.run_id)
            wake_on_commit(WAKE_TASK, queue=queue_name(job.device_class))
    return moved


def run_again(*, run: Run) -> int:
    """Queue every failed or cancelled job of a run once more; returns how many."""
    return sum(job_again(job=job) for job in run.jobs.filter(state__in=("failed", "cancelled")))
