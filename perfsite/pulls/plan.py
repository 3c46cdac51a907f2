"""From a pull request's head to its comparisons: git tells the merge base, `perfsite.toml` there the rest.

The rules are those of the merge base, never those of the head: a pull request cannot choose by what it is
judged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from benchmarks.cases import Case
from perfsite.core.errors import ConfigError, RepositoryError
from perfsite.core.publish import wake_on_commit
from perfsite.core.transition import state_swap
from perfsite.pulls.models import PullHead
from perfsite.pulls.services import TELL_TASK
from perfsite.pulls.states import HEAD_STATES
from perfsite.pulls.watch import watch_make
from perfsite.runs.budget import PULL
from perfsite.runs.commits import Commit
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job, Project, Run
from perfsite.runs.orders import compare_row
from perfsite.runs.rules import config_at
from perfsite.runs.selectors import device_classes_known
from perfsite.runs.services import PRIORITY_HEAD, build_note, job_again, run_refresh
from workers.messages import WAKE_TASK, queue_name

log = logging.getLogger(__name__)

FAMILY_ALPHA = 0.05
"""How often a pull request without any change may fail its check, all its comparisons together."""
MOST_ALPHA = 0.01
# where a forge keeps the newest head, also a fork's
REFS = {"github": "refs/pull/{}/head", "gitlab": "refs/merge-requests/{}/head"}
_OWN_FAULT = "planning failed inside the site; its log tells why"
_RETRY_FIRST = timedelta(seconds=10)
_RETRY_LONGEST = timedelta(hours=1)
_RETRY_GIVE_UP = 30  # tries: about a day


@dataclass(frozen=True)
class _Order:
    """One comparison to queue: the cases of a group that are compared, on one device class."""

    group: CaseGroup
    watch: list[tuple[Case, str]]


def heads_plan() -> int:
    """Plan every received head that is due; returns how many were settled."""
    projects = Project.objects.filter(pk__in=_due().values("pull__project_id")).order_by("pk")
    return sum(_project_plan(project) for project in projects)


def heads_due() -> bool:
    """Whether a received head waits to be planned."""
    return _due().exists()


def _due() -> QuerySet[PullHead]:
    return PullHead.objects.filter(state="received", plan_due_at__lte=timezone.now())


def _project_plan(project: Project) -> int:
    """Plan a project's heads, unless somebody else is at its mirror: the next tick finds them again."""
    mirror = Mirror(project.repo, settings.MIRRORS)
    with mirror.claimed() as mine:
        heads = list(_due().filter(pull__project=project).select_related("pull__project")) if mine else []
        if not heads:
            return 0
        try:
            mirror.fetch()
        except RepositoryError as error:
            return sum(_postpone(head, str(error)) for head in heads)
        except Exception:  # one project's oddity must not keep the others from being planned
            log.exception("the mirror of %s failed", project.slug)
            return sum(_postpone(head, _OWN_FAULT) for head in heads)
        return sum(_head_try(head, mirror) for head in heads)


def _head_try(head: PullHead, mirror: Mirror) -> bool:
    """Plan one head; one's oddity must not keep the others from being planned."""
    try:
        return _head_plan(head, mirror)
    except RepositoryError as error:
        return _postpone(head, str(error))
    except Exception:
        log.exception("planning %s failed", head)
        return _postpone(head, _OWN_FAULT)


def _head_plan(head: PullHead, mirror: Mirror) -> bool:
    pull = head.pull
    mirror.fetch_ref(ref_of(head))
    commit = mirror.commits([head.sha]).get(head.sha)
    if commit is None:
        return _postpone(head, f"commit {head.short} is not at {ref_of(head)} of {mirror.repo} any more")
    base_sha = mirror.merge_base(branch=pull.base_branch, sha=head.sha)
    if not base_sha:
        return _end(head, "failed", f"{head.short} and {pull.base_branch} have no commit in common")
    try:
        config = config_at(mirror=mirror, sha=base_sha)
    except ConfigError as error:
        return _end(head, "failed", f"at the merge base {base_sha[:7]}: {error}")
    orders, reason = _orders_make(mirror, config, replace(commit, parents=(base_sha,)))
    if not orders:
        return _end(head, "skipped", reason)
    classes = config.pull_devices or device_classes_known()
    if not classes:
        return _postpone(head, "no worker has joined yet, so there is no device to compare on")
    base_commit = mirror.commits([base_sha])[base_sha]
    return _comparisons_queue(head, commit, base_commit, config, orders, classes)


def ref_of(head: PullHead) -> str:
    """Where the forge keeps the head; also the branch of its build, for no branch has such a name."""
    return REFS[head.pull.forge].format(head.pull.number)


def _orders_make(mirror: Mirror, config: Config, whole: Commit) -> tuple[list[_Order], str]:
    """What to compare, or none and the sentence why; `whole` is the pull request as one commit."""
    rules = config.document.pull_requests
    if not rules.enabled:
        return [], "[pull_requests] in perfsite.toml at the merge base says enabled = false"
    changed = mirror.changed(whole)
    wanted, reason = config.trigger(changed)
    if not wanted:
        return [], reason.replace("the commit", "the pull request")
    found = [
        _Order(group, watch)
        for group in config.groups(set(config.models_triggered(changed)))
        if (watch := watch_make(group.cases, suites=rules.suites))
    ]
    suites = ", ".join(rules.suites)
    return found, "" if found else f"no model it concerns is measured with a suite that is compared: {suites}"


def _comparisons_queue(
    head: PullHead,
    commit: Commit,
    base_commit: Commit,
    config: Config,
    orders: Sequence[_Order],
    classes: Sequence[str],
) -> bool:
    """Make both builds and the comparisons, and wake the workers on commit."""
    ref, project = ref_of(head), head.pull.project
    decided = len(classes) * sum(len(order.watch) for order in orders)
    rules = config.document.pull_requests
    with transaction.atomic():
        base = Build.objects.filter(project=project, sha=base_commit.sha).order_by("id").first()
        base = base or build_note(project=project, branch=ref, commit=base_commit)
        build = build_note(project=project, branch=ref, commit=commit)
        values = {"base": base, "build": build, "limit": rules.limit, "reason": ""}
        if not state_swap(head, to="planned", legal=HEAD_STATES, **values):
            return False
        for device_class in classes:
            run, _ = Run.objects.get_or_create(build=build, device_class=device_class)
            for order in orders:
                job = compare_row(run=run, base=base, group=order.group, watch=order.watch, config=config)
                job.spec |= {
                    "purpose": PULL,
                    "max_pairs": rules.max_pairs,
                    "alpha": min(MOST_ALPHA, FAMILY_ALPHA / decided),
                    "ref": ref,
                }
                job.priority = PRIORITY_HEAD
                _job_queue(job)
                wake_on_commit(WAKE_TASK, queue=queue_name(device_class))
            run_refresh(run_id=run.pk)
        wake_on_commit(TELL_TASK)
    return True


def _job_queue(job: Job) -> None:
    """Save the job, unless the run has it: of a head that was superseded and came back it runs again."""
    same = {"kind": job.kind, "model": job.model, "precision": job.precision, "spec__base": job.spec["base"]}
    known = Job.objects.filter(run=job.run, **same).first()
    if known is None:
        job.save()
    else:
        job_again(job=known)


def _end(head: PullHead, state: str, reason: str) -> bool:
    wake_on_commit(TELL_TASK)
    return state_swap(head, to=state, legal=HEAD_STATES, reason=reason)


def _postpone(head: PullHead, reason: str) -> bool:
    """Try again later, ever less often, and fail with the reason after about a day; always False."""
    tries = head.plan_tries + 1
    if tries >= _RETRY_GIVE_UP:
        _end(head, "failed", reason)
        return False
    wait = min(_RETRY_FIRST * 2 ** min(head.plan_tries, 12), _RETRY_LONGEST)
    PullHead.objects.filter(pk=head.pk, state="received").update(
        reason=reason, plan_tries=tries, plan_due_at=timezone.now() + wait
    )
    return False
