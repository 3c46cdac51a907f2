"""Pull requests of GitHub, and GitLab's hooks: merge requests are pull requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from perfsite.pulls.models import PullHead, PullRequest
from perfsite.runs.models import Build, Project
from perfsite.webhooks.models import Delivery, RefusalCount
from tests.webhooks.signing import SECRET

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
REPOSITORY = {"full_name": "acme/Vision"}


def github_pull(action: str = "opened", sha: str = A, fork: str | None = "acme/vision", **facts: Any) -> dict:
    head = {"ref": "work", "sha": sha, "repo": fork and {"full_name": fork}}
    pull = {
        "head": head,
        "base": {"ref": "main", "sha": B, "repo": REPOSITORY},
        "title": "Fuse the convolutions",
        "html_url": "https://github.com/acme/vision/pull/7",
        "user": {"login": "eve", "id": 41},
        "updated_at": "2026-11-21T10:00:00Z",
        **facts,
    }
    return {"action": action, "number": 7, "pull_request": pull, "repository": REPOSITORY}


def test_pull_request_of_the_repository_itself_is_received(deliver):
    answer = deliver(github_pull(), event="pull_request")
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    head = PullHead.objects.select_related("pull").get()
    assert (head.sha, head.state) == (A, "received")
    pull = head.pull
    assert (pull.number, pull.author, pull.author_id, pull.base_branch, pull.from_fork, pull.title) == (
        7, "eve", "41", "main", False, "Fuse the convolutions",
    )  # fmt: skip
    assert Build.objects.count() == 0  # a build comes with the plan, once the code may run


@pytest.mark.parametrize("fork", ["eve/vision", None])
def test_pull_request_of_a_fork_waits_also_when_the_fork_is_gone(deliver, fork):
    answer = deliver(github_pull(fork=fork), event="pull_request")
    assert "waits for a maintainer" in answer.json()["detail"]
    assert PullHead.objects.get().state == "waiting"


def test_every_push_to_it_is_a_head_and_closing_ends_them(deliver):
    deliver(github_pull(), event="pull_request")
    deliver(github_pull("synchronize", B, updated_at="2026-11-21T11:00:00Z"), event="pull_request")
    assert list(PullHead.objects.order_by("id").values_list("sha", "state")) == [
        (A, "superseded"),
        (B, "received"),
    ]
    deliver(github_pull("closed", B, updated_at="2026-11-21T12:00:00Z"), event="pull_request")
    assert set(PullHead.objects.values_list("state", flat=True)) == {"superseded"}
    assert not PullRequest.objects.get().is_open


def test_what_changes_no_code_or_is_malformed_starts_nothing(deliver):
    assert deliver(github_pull("labeled"), event="pull_request").json()["status"] == "ignored"
    wrong = deliver(github_pull(sha="main"), event="pull_request")
    assert wrong.status_code == 400
    assert "pull_request.head.sha" in wrong.json()["detail"]
    other = github_pull() | {"repository": {"full_name": "acme/other"}}
    assert deliver(other, event="pull_request").json()["status"] == "ignored"
    assert PullHead.objects.count() == 0


GITLAB = {
    "path_with_namespace": "acme/vision",
    "git_http_url": "https://github.com/acme/vision.git",
    "web_url": "https://github.com/acme/vision",
}


def gitlab_push(*shas: str, **more: Any) -> dict:
    author = {"name": "Ada", "email": "ada@example.org"}
    commits = [
        {"id": s, "message": "faster\n\nmore", "timestamp": "2026-11-21T10:00:00+01:00", "author": author}
        for s in shas
    ]
    after = shas[-1] if shas else ZERO
    return {"object_kind": "push", "ref": "refs/heads/main", "before": ZERO, "after": after,
            "commits": commits, "project": GITLAB, "total_commits_count": len(shas), **more}  # fmt: skip


def gitlab_merge(action: str = "open", source: int | None = 5, **more: Any) -> dict:
    merge = {
        "iid": 3,
        "action": action,
        "source_project_id": source,
        "target_project_id": 5,
        "target_branch": "main",
        "last_commit": {"id": A},
        "title": "Fuse",
        "url": "https://gitlab.example/acme/vision/-/merge_requests/3",
        "updated_at": "2026-11-21 10:00:00 UTC",
        "author_id": 51,
        **more,
    }
    user = {"id": 51, "username": "eve"}
    return {"object_kind": "merge_request", "user": user, "project": GITLAB, "object_attributes": merge}


@pytest.fixture
def gitlab(client: Client, project: Project):
    def post(payload: Any, *, token: str = SECRET, **headers: str):
        ids = headers or {"x-gitlab-event-uuid": f"uuid-{Delivery.objects.count()}"}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"x-gitlab-token": token, **ids}
        url = "/webhooks/gitlab/vision/"
        return client.post(url, body, content_type="application/json", headers=sent)

    return post


def test_gitlab_push_becomes_builds(gitlab):
    answer = gitlab(gitlab_push(A, B))
    assert (answer.status_code, answer.json()["builds"]) == (202, 2)
    head = Build.objects.get(is_head=True)
    assert (head.sha, head.subject, head.author_email) == (B, "faster", "ada@example.org")


def test_gitlab_push_that_lists_no_commit_still_has_its_head(gitlab):
    gitlab(gitlab_push(A) | {"commits": [], "after": B})
    assert Build.objects.get().sha == B


def test_gitlab_branch_deletion_tag_and_other_events(gitlab):
    gitlab(gitlab_push(A))
    gitlab(gitlab_push() | {"after": ZERO})
    assert Build.objects.get().state == "skipped"
    assert gitlab(gitlab_push(A) | {"ref": "refs/tags/v1"}).json()["status"] == "ignored"
    assert gitlab({"object_kind": "tag_push"}).json()["status"] == "ignored"
    assert gitlab({"no": "kind"}).status_code == 400


def test_gitlab_token_is_checked_and_a_repeated_try_is_a_replay(gitlab):
    assert gitlab(gitlab_push(A), token="wrong").status_code == 403
    assert gitlab(gitlab_push(A), token="").status_code == 403
    assert RefusalCount.objects.count() == 2
    # GitLab tries again with another event id and the same key
    first = {"idempotency-key": "k1", "x-gitlab-event-uuid": "u1"}
    again = {"idempotency-key": "k1", "x-gitlab-event-uuid": "u2"}
    assert gitlab(gitlab_push(A), **first).json()["status"] == "accepted"
    assert gitlab(gitlab_push(A), **again).json()["status"] == "replayed"
    assert gitlab(gitlab_push(A), **{"x-other": "x"}).status_code == 400


def test_gitlab_merge_request_is_a_pull_request(gitlab):
    answer = gitlab(gitlab_merge())
    assert answer.json()["detail"] == f"pull request 3, head {A[:7]}"
    pull = PullRequest.objects.get()
    assert (pull.forge, pull.number, pull.author, pull.author_id) == ("gitlab", 3, "eve", "51")
    assert pull.updated_at is not None
    # a new title is no new code; a push is
    assert gitlab(gitlab_merge("update")).json()["status"] == "ignored"
    gitlab(gitlab_merge("update", oldrev=A, last_commit={"id": B}))
    assert PullHead.objects.get(sha=B).state == "received"
    gitlab(gitlab_merge("merge", last_commit={"id": B}))
    assert not PullRequest.objects.get().is_open


@pytest.mark.parametrize("source", [6, None])
def test_gitlab_merge_request_of_a_fork_waits(gitlab, source):
    gitlab(gitlab_merge(source=source))
    assert PullHead.objects.get().state == "waiting"
