"""Webhooks accepted per second, durable, and the wait of one in a hundred at half that load."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator

from perfsite.bench.load import Request, in_turns, rate_closed, waits_open
from perfsite.bench.served import FLOOR, SITE, served
from perfsite.bench.table import Row, row_at_least, row_under
from perfsite.bench.world import project_made
from perfsite.core.errors import PerfsiteError
from perfsite.runs.models import Project
from perfsite.webhooks.models import Delivery
from perfsite.webhooks.signature import signature_make

LEAST = 0.7
SLOWEST_MS = 100.0


def webhooks_measure(seconds: float) -> list[Row]:
    """Both rows."""
    project = project_made("webhooks")
    pushes, inserts = _pushes(project), _inserts(project)
    accepted = 0

    def push(span: float) -> float:
        nonlocal accepted
        rate, done = rate_closed(urls[SITE], pushes, seconds=span)
        accepted += done
        return rate

    with served(SITE, FLOOR) as urls:
        rate_closed(urls[SITE], pushes, seconds=0.5)  # both sides warm
        rate_closed(urls[FLOOR], inserts, seconds=0.5)
        known = Delivery.objects.filter(forge="github").count()
        rates = in_turns(
            {"site": push, "floor": lambda span: rate_closed(urls[FLOOR], inserts, seconds=span)[0]},
            seconds=seconds,
        )
        _check_durable(Delivery.objects.filter(forge="github").count() - known, accepted)
        waits = sorted(waits_open(urls[SITE], pushes, rate=rates["site"] / 2, seconds=seconds))
    p99 = waits[min(len(waits) - 1, int(0.99 * len(waits)))] * 1e3
    note = "webhooks: one new commit each, signed, 8 connections; the floor has no middleware"
    return [
        row_at_least("webhooks accepted", rates["site"], "1/s", floor=rates["floor"], least=LEAST, note=note),
        row_under("webhook p99 at half load", p99, "ms", limit=SLOWEST_MS),
    ]


def _check_durable(kept: int, accepted: int) -> None:
    if kept != accepted:
        raise PerfsiteError(f"{accepted} webhooks were accepted, {kept} are in the database")


def _pushes(project: Project) -> Iterator[Request]:
    for number in itertools.count(1):
        sha = f"{number:040x}"
        commit = {"id": sha, "message": "m", "author": {"name": "Ada", "email": "ada@example.org"}}
        payload = {
            "ref": f"refs/heads/{project.branch}", "before": "0" * 40, "after": sha, "deleted": False,
            "repository": {"full_name": project.forge_name}, "head_commit": commit, "commits": [commit],
        }  # fmt: skip
        body = json.dumps(payload).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": signature_make(secret=project.webhook_secret, body=body),
        }
        yield Request(f"/webhooks/github/{project.slug}/", body, headers)


def _inserts(project: Project) -> Iterator[Request]:
    while True:
        yield Request(f"/floor/{project.pk}/", b"{}", {"X-Delivery": str(uuid.uuid4())})
