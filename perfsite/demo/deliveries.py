"""Posts what GitHub would post for a push: the same body, headers and signature."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from perfsite.core.errors import PerfsiteError
from perfsite.demo.repository import Made
from perfsite.runs.commits import ZERO_SHA
from perfsite.runs.models import Project
from perfsite.webhooks.signature import signature_make


def push_payload(*, push: Sequence[Made], repository: Path, full_name: str) -> dict[str, Any]:
    """A `push` event of some commits, the oldest first, shaped as GitHub's."""
    commits = [_commit(made) for made in push]
    return {
        "ref": "refs/heads/main",
        "before": push[0].parent or ZERO_SHA,
        "after": push[-1].sha,
        "created": not push[0].parent,
        "deleted": False,
        "forced": False,
        "repository": {
            "full_name": full_name,
            "clone_url": str(repository),
            "default_branch": "main",
        },
        "pusher": commits[-1]["committer"],
        "head_commit": commits[-1],
        "commits": commits,
    }


def _commit(made: Made) -> dict[str, Any]:
    person = {"name": made.step.author, "email": f"{made.step.author.lower()}@example.org"}
    return {
        "id": made.sha,
        "message": made.step.subject,
        "timestamp": made.when.isoformat(),
        "author": person,
        "committer": person,
        "added": [],
        "removed": [],
        "modified": [edit.path for edit in made.step.edits],
    }


def push_deliver(*, url: str, project: Project, push: Sequence[Made], repository: Path) -> float:
    """Deliver one push, signed; returns how long the answer took, in seconds.

    Raises:
        PerfsiteError: the site did not accept it.
    """
    payload = push_payload(push=push, repository=repository, full_name=project.forge_name)
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        # the same commit gives the same id: a second demo on this data is a replay
        "X-GitHub-Delivery": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{project.slug}:{push[-1].sha}")),
        "X-Hub-Signature-256": signature_make(secret=project.webhook_secret, body=body),
    }
    answer = httpx.post(f"{url}/webhooks/github/{project.slug}/", content=body, headers=headers, timeout=30)
    if answer.status_code not in (200, 202):
        raise PerfsiteError(
            f"the site refused the push of {push[-1].sha[:7]}: {answer.status_code} {answer.text}"
        )
    return answer.elapsed.total_seconds()
