"""Telling the forge: one check and one comment for each pull request, edited in place.

What is to be told is worked out from the rows; a head is told again only when that differs from what it was
told last, so a lost, late or doubled task tells nothing twice.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.alerts.retrying import LONGEST, retry_wait
from perfsite.pulls.forges import FORGES, Forge
from perfsite.pulls.models import PullHead, PullRequest
from perfsite.pulls.selectors import head_jobs, outcome_of, pull_url
from perfsite.pulls.table import MARKER, Outcome, comment_markdown
from perfsite.runs.models import Job

log = logging.getLogger(__name__)

MAX_TRIES = 8
_RECENT = timedelta(days=7)  # an older head changes no more
_BACKOFF_FIRST = timedelta(seconds=30)


def heads_tell() -> int:
    """Tell the forges of every head that changed; returns how many were told."""
    now = timezone.now()
    current = Q(state__in=("received", "waiting", "planned", "skipped", "failed"))
    # what was told that it is being compared is told that it will not be
    current |= Q(state="superseded") & ~Q(told_sha256="")
    rows = PullHead.objects.filter(current, tell_due_at__lte=now, received_at__gte=now - _RECENT)
    heads = list(rows.select_related("pull__project", "base").order_by("id"))
    jobs = head_jobs(heads=heads)
    newest = _newest(heads)
    return sum(_head_try(head, jobs[head.pk], is_newest=head.pk in newest) for head in heads)


def _newest(heads: Sequence[PullHead]) -> set[int]:
    """The newest head of each pull request: there is one comment, and it is that one's."""
    rows = PullHead.objects.filter(pull__in={head.pull_id for head in heads}).order_by("received_at", "id")
    return set(dict(rows.values_list("pull_id", "pk")).values())


def _head_try(head: PullHead, jobs: Sequence[Job], *, is_newest: bool) -> bool:
    """Tell one head; one's oddity must not keep the others from being told."""
    try:
        return _head_tell(head, jobs, is_newest=is_newest)
    except Exception:
        log.exception("telling of %s failed", head)
        PullHead.objects.filter(pk=head.pk).update(
            tell_error="telling failed inside the site; its log tells why",
            tell_due_at=timezone.now() + LONGEST,
        )
        return False


def _head_tell(head: PullHead, jobs: Sequence[Job], *, is_newest: bool) -> bool:
    outcome = outcome_of(head=head, jobs=jobs)
    url = pull_url(pull=head.pull)
    body = comment_markdown(outcome, sha=head.sha, base=head.base.sha if head.base else "", url=url)
    digest = hashlib.sha256(f"{outcome.check}\n{outcome.sentence}\n{body}".encode()).hexdigest()
    if digest == head.told_sha256:
        return False
    forge = FORGES.get(head.pull.forge)
    if forge is None:
        return False
    # claimed before the call: of two tasks at once one tells
    lease = timezone.now() + _BACKOFF_FIRST * 2
    claimed = PullHead.objects.filter(pk=head.pk, tell_due_at=head.tell_due_at, told_sha256=head.told_sha256)
    if not claimed.update(tell_due_at=lease):
        return False
    try:
        _call(forge, head, outcome, url, body if is_newest else "")
    except DeliveryError as error:
        _put_off(head, digest, error)
        return False
    PullHead.objects.filter(pk=head.pk).update(
        told_sha256=digest, tell_tries=0, tell_error="", tell_due_at=timezone.now()
    )
    return True


def _call(forge: Forge, head: PullHead, outcome: Outcome, url: str, body: str) -> None:
    project = head.pull.project
    forge.status_set(
        project=project, sha=head.sha, state=outcome.check, description=outcome.sentence, url=url
    )
    # while it runs the check says so; a comment is for results, and there are none of what was cancelled
    if body and not outcome.open and head.state not in ("received", "superseded"):
        pull = head.pull
        written = forge.comment_put(
            project=project, pull_request=pull.number, body=body, marker=MARKER, known=pull.comment_id
        )
        if written != pull.comment_id:
            PullRequest.objects.filter(pk=pull.pk).update(comment_id=written)


def _put_off(head: PullHead, digest: str, error: DeliveryError) -> None:
    """After a failed try: later, or never of this very content when it is permanent or tries are spent."""
    log.info("pull request %s could not be told: %s", head.pull.number, error)
    tries = head.tell_tries + 1
    over = error.permanent or tries >= MAX_TRIES
    wait = retry_wait(
        tries,
        first=_BACKOFF_FIRST,
        share=random.random(),  # noqa: S311 - jitter, no secret
        asked=error.retry_after,
    )
    values = {"told_sha256": digest, "tell_tries": 0} if over else {"tell_tries": tries}
    PullHead.objects.filter(pk=head.pk).update(
        tell_error=str(error)[:1000], tell_due_at=timezone.now() + wait, **values
    )
