"""Writes of deliveries and refusals."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from perfsite.pulls.services import pull_close, pull_receive
from perfsite.runs.files import file_receive
from perfsite.runs.models import Project
from perfsite.runs.services import branch_delete, builds_receive
from perfsite.webhooks.models import Delivery, RefusalCount
from perfsite.webhooks.payloads.events import (
    Deletion,
    FileDelivered,
    Ignored,
    Payload,
    Ping,
    PullUpdate,
    Push,
)
from perfsite.webhooks.repository import repository_matches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery: `accepted`, `ignored`, `pong` or `replayed`, and the sentence for it."""

    status: str
    builds: int
    detail: str


def delivery_receive(*, project: Project, forge: str, delivery_id: str, payload: Payload) -> Receipt:
    """Keep a delivery and its builds in one transaction; a known delivery id changes nothing."""
    if _known(project, forge, delivery_id):
        return _replayed(delivery_id)
    try:
        with transaction.atomic():
            receipt = _apply(project, forge, payload)
            Delivery.objects.create(
                project=project,
                forge=forge,
                delivery_id=delivery_id,
                event=payload.event,
                outcome={"pong": "answered"}.get(receipt.status, receipt.status),
                reason=receipt.detail,
                builds=receipt.builds,
            )
    except IntegrityError:
        # the same delivery came twice at once and the other one was first: ours is undone
        if not _known(project, forge, delivery_id):
            raise
        return _replayed(delivery_id)
    log.info("delivery %s: %s", receipt.status, receipt.detail, extra={"delivery": delivery_id})
    return receipt


def refusal_count(*, project: Project, reason: str) -> None:
    """Count a refused delivery: all that it leaves."""
    row = {"project": project, "reason": reason, "day": timezone.now().date()}
    if RefusalCount.objects.filter(**row).update(count=F("count") + 1):
        return
    RefusalCount.objects.get_or_create(**row, defaults={"count": 0})
    RefusalCount.objects.filter(**row).update(count=F("count") + 1)


def _known(project: Project, forge: str, delivery_id: str) -> bool:
    return Delivery.objects.filter(project=project, forge=forge, delivery_id=delivery_id).exists()


def _replayed(delivery_id: str) -> Receipt:
    return Receipt("replayed", 0, f"delivery {delivery_id} was received before; nothing was done again")


def _apply(project: Project, forge: str, payload: Payload) -> Receipt:
    match payload.action:
        case Ping():
            return Receipt("pong", 0, f"{project.slug} listens")
        case Ignored(reason):
            return Receipt("ignored", 0, reason)
        case _ if not _is_of(project, payload):
            return Receipt(
                "ignored",
                0,
                f"the payload is of {payload.repository[0]}, this project watches {project.repo}; "
                "if the repository was renamed, change the project's repository",
            )
        case Deletion(branch):
            branch_delete(project=project, branch=branch)
            return Receipt("accepted", 0, f"branch {branch} is deleted: what waited for it is cancelled")
        case FileDelivered(branch, told):
            build, is_new = file_receive(project=project, branch=branch, told=told)
            if is_new:
                return Receipt(
                    "accepted", 1, f"{told.model} {build.short}, build {build.ordinal} of {branch}"
                )
            return Receipt(
                "accepted", 0, f"{branch} has the file {build.short} already: build {build.ordinal}"
            )
        case PullUpdate():
            return _pull_apply(project, forge, payload.action)
        case Push(branch, commits, head):
            builds = builds_receive(project=project, branch=branch, commits=commits, head=head)
            many = "1 build" if len(builds) == 1 else f"{len(builds)} builds"
            return Receipt("accepted", len(builds), f"{many} on {branch}, head {head[:7]}")


def _pull_apply(project: Project, forge: str, update: PullUpdate) -> Receipt:
    told = update.told
    name = f"pull request {told.number}"
    if not update.is_open:
        pull_close(project=project, forge=forge, told=told)
        return Receipt("accepted", 0, f"{name} is closed: what waited for it is cancelled")
    head = pull_receive(project=project, forge=forge, told=told)
    if head is None:
        return Receipt("ignored", 0, f"{name} has changed since: a newer delivery came first")
    waits = "; it is of a fork and waits for a maintainer's approval" if head.state == "waiting" else ""
    return Receipt("accepted", 0, f"{name}, head {told.sha[:7]}{waits}")


def _is_of(project: Project, payload: Payload) -> bool:
    return repository_matches(repo=project.repo, forge_name=project.forge_name, given=payload.repository)
