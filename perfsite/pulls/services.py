"""Writes of pull requests: what a forge tells of them, and what a maintainer approves."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.core.publish import wake_on_commit
from perfsite.core.transition import state_swap
from perfsite.pulls.models import PullHead, PullRequest, TrustedAuthor
from perfsite.pulls.states import HEAD_STATES
from perfsite.pulls.told import PullTold
from perfsite.runs.models import Job, Project
from perfsite.runs.services import jobs_cancel
from perfsite.runs.states import JOB_ENDED

PLAN_TASK = "pulls.plan"
TELL_TASK = "pulls.tell"
_OPEN = ("received", "waiting", "planned")


def pull_receive(*, project: Project, forge: str, told: PullTold) -> PullHead | None:
    """Note a pull request's newest head; older heads are superseded, planning is woken on commit.

    A fork's head waits for a maintainer, unless its author is trusted.  None when the delivery is older
    than what is known: deliveries may overtake each other.  Call it in the delivery's transaction.
    """
    pull = _pull_note(project, forge, told, is_open=True)
    if pull is None:
        return None
    first = "waiting" if told.from_fork and not _is_trusted(pull) else "received"
    head, is_new = PullHead.objects.get_or_create(pull=pull, sha=told.sha, defaults={"state": first})
    heads_supersede(pull=pull, keep=head)
    if not is_new and head.state in ("superseded", "failed"):
        # the very same code: an approval of it still holds
        again = "received" if head.approved_at or head.state == "failed" else first
        fresh = {"reason": "", "plan_tries": 0, "plan_due_at": timezone.now(), "received_at": timezone.now()}
        state_swap(head, to=again, legal=HEAD_STATES, **fresh)
    wake_on_commit(PLAN_TASK)
    wake_on_commit(TELL_TASK)
    return head


def pull_close(*, project: Project, forge: str, told: PullTold) -> bool:
    """A pull request was merged or closed: what waits for it is not worth a device any more."""
    pull = _pull_note(project, forge, told, is_open=False)
    if pull is not None:
        heads_supersede(pull=pull, keep=None)
        wake_on_commit(TELL_TASK)
    return pull is not None


def heads_supersede(*, pull: PullRequest, keep: PullHead | None) -> None:
    """Close the other open heads, and cancel their jobs that have not ended once this is committed."""
    rows = pull.heads.filter(state__in=_OPEN)
    if keep is not None:
        rows = rows.exclude(pk=keep.pk)
    reason = f"superseded by {keep.short}" if keep else "the pull request was closed"
    for head in rows:
        _head_supersede(head, reason)


def _head_supersede(head: PullHead, reason: str) -> None:
    """Close one head, also when planning or an approval moves it at the same time."""
    while head.state in _OPEN:
        unfinished = Job.objects.filter(run__build=head.build_id).exclude(state__in=JOB_ENDED).exists()
        if head.state == "planned" and not unfinished:
            return  # its result stands
        if state_swap(head, to="superseded", legal=HEAD_STATES, reason=reason):
            if head.build_id:
                transaction.on_commit(partial(jobs_cancel, build_ids=[head.build_id]))
            return
        head.refresh_from_db()  # somebody was first


@transaction.atomic
def head_approve(*, head: PullHead, actor: str, trust_author: bool = False) -> None:
    """Let a fork's head run, of this very commit; with `trust_author` also whatever its author pushes next.

    Raises:
        PerfsiteError: it does not wait any more: somebody approved it, or a newer push superseded it.
    """
    pull = head.pull
    approved = {"approved_by": actor[:150], "approved_at": timezone.now(), "reason": ""}
    if head.state != "waiting" or not state_swap(head, to="received", legal=HEAD_STATES, **approved):
        head.refresh_from_db()
        raise PerfsiteError(
            f"{head.short} of pull request {pull.number} does not wait for an approval: it is {head.state}"
        )
    if trust_author and pull.author_id:
        TrustedAuthor.objects.get_or_create(
            project_id=pull.project_id,
            forge=pull.forge,
            author_id=pull.author_id,
            defaults={"author": pull.author, "approved_by": actor[:150]},
        )
    wake_on_commit(PLAN_TASK)


def author_distrust(*, author: TrustedAuthor) -> None:
    """Take a trust back: the author's next push from a fork waits again."""
    TrustedAuthor.objects.filter(pk=author.pk).delete()


def _pull_note(project: Project, forge: str, told: PullTold, *, is_open: bool) -> PullRequest | None:
    """The pull request's row with what was told last, locked; None when the delivery is an older one."""
    values = {
        "title": told.title[:300],
        "url": told.url[:500],
        "author": told.author[:200],
        "author_id": told.author_id[:40],
        "base_branch": told.base_branch,
        "from_fork": told.from_fork,
        "is_open": is_open,
        "updated_at": told.updated_at,
    }
    pull, is_new = PullRequest.objects.get_or_create(
        project=project, forge=forge, number=told.number, defaults=values
    )
    if is_new:
        return pull
    pull = PullRequest.objects.select_for_update().get(pk=pull.pk)
    if pull.updated_at and told.updated_at and told.updated_at < pull.updated_at:
        return None
    for name, value in values.items():
        setattr(pull, name, value)
    pull.save()
    return pull


def _is_trusted(pull: PullRequest) -> bool:
    known = TrustedAuthor.objects.filter(project_id=pull.project_id, forge=pull.forge)
    return bool(pull.author_id) and known.filter(author_id=pull.author_id).exists()
