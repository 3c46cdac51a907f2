"""The intake over HTTP: every row of the README's table of answers, and what each leaves in the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import IntegrityError
from django.http import HttpResponse
from django.test import Client

from perfsite.runs.models import Build, Project
from perfsite.webhooks import services
from perfsite.webhooks.models import Delivery, RefusalCount

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
Deliver = Callable[..., HttpResponse]


def commit(sha: str, message: str = "faster") -> dict[str, Any]:
    author = {"name": "Ada", "email": "ada@example.org"}
    return {"id": sha, "message": message, "timestamp": "2026-11-21T10:00:00Z", "author": author}


def push(*shas: str, **more: Any) -> dict[str, Any]:
    commits = [commit(sha) for sha in shas]
    return {"ref": "refs/heads/main", "before": ZERO, "after": shas[-1], "commits": commits,
            "head_commit": commits[-1], "repository": {"full_name": "acme/vision"}, **more}  # fmt: skip


def generic(sha: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "commit",
        "ref": "main",
        "sha": sha,
        "parents": [A],
        "message": "m",
        "author": "Ada",
        **more,
    }


def refusals() -> dict[str, int]:
    return dict(RefusalCount.objects.values_list("reason", "count"))


def test_a_push_makes_a_build_for_each_commit(deliver: Deliver, project: Project):
    answer = deliver(push(A, B), delivery="first")
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "builds": 2, "detail": "2 builds on main, head bbbbbbb"}
    first, second = Build.objects.order_by("pk")
    assert (first.sha, first.is_head, second.sha, second.is_head) == (A, False, B, True)
    assert (second.branch, second.subject, second.author_email) == ("main", "faster", "ada@example.org")
    assert second.committed_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    delivery = Delivery.objects.get()
    assert (delivery.forge, delivery.delivery_id, delivery.event) == ("github", "first", "push")
    assert (delivery.outcome, delivery.builds) == ("accepted", 2)


def test_a_generic_commit_keeps_its_parents(deliver: Deliver):
    assert deliver(generic(B), forge="generic").json()["status"] == "accepted"
    build = Build.objects.get()
    assert (build.sha, build.parents, build.is_head, build.author_name) == (B, [A], True, "Ada")


def test_a_replay_is_answered_200_and_does_nothing(deliver: Deliver):
    deliver(push(A), delivery="same")
    again = deliver(push(B), delivery="same")
    assert (again.status_code, again.json()["status"], again.json()["builds"]) == (200, "replayed", 0)
    assert [build.sha for build in Build.objects.all()] == [A]
    assert Delivery.objects.count() == 1


def test_two_forges_may_use_the_same_id(deliver: Deliver):
    deliver(push(A), delivery="same")
    assert deliver(generic(B), forge="generic", delivery="same").status_code == 202


def test_a_replay_that_only_the_constraint_sees_is_undone(deliver: Deliver, monkeypatch: pytest.MonkeyPatch):
    deliver(push(A), delivery="same")
    known, asked = services._known, []

    def too_early(*arguments: Any) -> bool:  # as in two requests at once: neither finds the other's row yet
        asked.append(arguments)
        return len(asked) > 1 and known(*arguments)

    monkeypatch.setattr(services, "_known", too_early)
    again = deliver(push(B), delivery="same")
    assert (again.status_code, again.json()["status"], len(asked)) == (200, "replayed", 2)
    assert [build.sha for build in Build.objects.all()] == [A]


def test_another_constraint_is_no_replay(deliver: Deliver, monkeypatch: pytest.MonkeyPatch):
    def broken(**_: Any) -> None:
        raise IntegrityError("something else")

    monkeypatch.setattr(services, "builds_receive", broken)
    with pytest.raises(IntegrityError, match="something else"):
        deliver(push(A))
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(("signature", "reason"), [("", "unsigned"), ("sha256=" + "0" * 64, "signature")])
def test_a_forged_delivery_leaves_a_count_and_nothing_else(deliver: Deliver, signature: str, reason: str):
    for _ in range(3):
        answer = deliver(push(A), signature=signature)
        assert (answer.status_code, answer.json()["status"]) == (403, "refused")
    assert refusals() == {reason: 3}
    assert not Delivery.objects.exists()
    assert not Build.objects.exists()


def test_a_signature_of_other_bytes_is_forged(deliver: Deliver):
    body = json.dumps(push(A)).encode()
    taken = deliver(body).wsgi_request.headers["X-Hub-Signature-256"]
    assert deliver(body + b" ", signature=taken).status_code == 403


def test_an_unsigned_malformed_body_is_told_no_reason(deliver: Deliver):
    assert deliver(b"{", signature="sha256=0").status_code == 403


def test_an_unknown_project_says_no_more_than_404(deliver: Deliver):
    answers = [
        deliver(push(A), slug="other"),
        deliver(push(A), slug="other", signature=""),
        deliver(b"{", slug="other"),
        deliver(push(A), forge="gitea"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.content for answer in answers} == {
        b'{"status": "refused", "builds": 0, "detail": "not found"}'
    }
    assert refusals() == {}


@pytest.mark.parametrize(
    ("payload", "event", "reason"),
    [
        (b"{", "push", "the body is not JSON"),
        (b"[]", "ping", "no object"),
        ({"ref": "refs/heads/main"}, "push", "after: Field required"),
        (push(A), "", "X-GitHub-Event"),
    ],
)
def test_a_malformed_delivery_is_told_why(deliver: Deliver, payload: Any, event: str, reason: str):
    answer = deliver(payload, event=event)
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]
    assert refusals() == {"malformed": 1}
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("delivery", ["x" * 101, "a b", "ü"])
def test_a_strange_delivery_id(deliver: Deliver, delivery: str):
    answer = deliver(push(A), delivery=delivery)
    assert (answer.status_code, "X-GitHub-Delivery" in answer.json()["detail"]) == (400, True)


def test_a_missing_delivery_id(client: Client, deliver: Deliver, project: Project):
    body = json.dumps(push(A)).encode()
    signature = deliver(body).wsgi_request.headers["X-Hub-Signature-256"]
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    answer = client.post("/webhooks/github/vision/", body, content_type="application/json", headers=headers)
    assert (answer.status_code, "X-GitHub-Delivery" in answer.json()["detail"]) == (400, True)


def test_a_ping_is_answered(deliver: Deliver):
    answer = deliver({"zen": "Design for failure."}, event="ping")
    assert (answer.status_code, answer.json()["status"]) == (200, "pong")
    assert Delivery.objects.get().outcome == "answered"


@pytest.mark.parametrize(
    ("payload", "event", "reason"),
    [
        ({"action": "opened"}, "issues", "event 'issues' starts no build"),
        (push(A, repository={"full_name": "acme/other"}), "push", "the payload is of acme/other"),
        (push(A, ref="refs/tags/v1"), "push", "'refs/tags/v1' is no branch"),
    ],
)
def test_what_is_none_of_our_business_is_kept_with_its_reason(
    deliver: Deliver, payload: Any, event: str, reason: str
):
    answer = deliver(payload, event=event)
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    delivery = Delivery.objects.get()
    assert (delivery.outcome, delivery.event) == ("ignored", event)
    assert reason in delivery.reason
    assert not Build.objects.exists()


def test_a_deleted_branch_closes_what_waited(deliver: Deliver):
    deliver(push(A, B))
    answer = deliver(push(ZERO, deleted=True, commits=[], head_commit=None))
    assert (answer.status_code, answer.json()["status"], answer.json()["builds"]) == (202, "accepted", 0)
    assert set(Build.objects.values_list("state", flat=True)) == {"skipped"}


def test_any_branch_is_taken_because_planning_decides(deliver: Deliver):
    assert deliver(push(A, ref="refs/heads/feature/x")).json()["builds"] == 1
    assert Build.objects.get().branch == "feature/x"


def test_a_form_is_taken_and_its_raw_bytes_are_signed(deliver: Deliver):
    form = urlencode({"payload": json.dumps(push(A))}).encode()
    answer = deliver(form, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["builds"]) == (202, 1)


def test_a_body_over_the_limit_costs_no_query(
    client: Client, deliver: Deliver, settings: Any, django_assert_num_queries: Any
):
    settings.WEBHOOK_MAX_BYTES = 1000
    with django_assert_num_queries(0):
        answer = client.post("/webhooks/github/vision/", b" " * 1001, content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (413, "refused")
    assert deliver(json.dumps(push(A)).encode().ljust(1000)).status_code == 202


def test_only_posts_are_taken(client: Client, project: Project):
    assert client.get("/webhooks/github/vision/").status_code == 405


def test_no_cookie_or_form_token_is_needed(deliver: Deliver):
    body = b'{"zen": "x"}'
    signature = deliver(body, event="ping").wsgi_request.headers["X-Hub-Signature-256"]
    headers = {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "x", "X-Hub-Signature-256": signature}
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/webhooks/github/vision/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200


def test_an_answer_needs_few_queries(deliver: Deliver, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(10):
        assert deliver(push(A)).status_code == 202


def test_planning_is_woken_after_the_commit_only(deliver: Deliver, django_capture_on_commit_callbacks: Any):
    with django_capture_on_commit_callbacks() as callbacks:
        deliver(push(A, B), delivery="x")
    assert len(callbacks) == 1
    with django_capture_on_commit_callbacks() as callbacks:
        deliver(push(A, B), delivery="x")
        deliver({}, event="ping")
    assert callbacks == []
