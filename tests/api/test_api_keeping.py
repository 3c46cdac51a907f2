"""Schedules, tokens, the rule of detection, pull requests and the audit log by the API."""

import json
import threading
from datetime import time

import pytest
from django.db import connection
from django.utils import timezone

from perfsite.access.models import AuditEntry, Token
from perfsite.core.errors import ConflictError
from perfsite.pulls.models import PullHead, TrustedAuthor
from perfsite.pulls.services import pull_receive
from perfsite.pulls.told import PullTold
from perfsite.regressions.models import RuleChange
from perfsite.runs.models import Schedule, ScheduleTurn
from perfsite.runs.schedules import Timing, schedule_add
from tests.api.calling import Caller
from tests.factories import project_make

pytestmark = pytest.mark.django_db
SCHEDULES = "/projects/zoo/schedules"
NIGHTLY = {
    "name": "nightly",
    "what": "full",
    "at": "02:00",
    "days": ["sat", "sun"],
    "time_zone": "Europe/Berlin",
}


@pytest.fixture
def project(db):
    return project_make(slug="zoo")


@pytest.fixture
def manager(project):
    return Caller("manage", project_id=project.pk)


def test_a_schedule_is_added_changed_begun_and_removed(project, manager):
    status, made = manager.post(SCHEDULES, NIGHTLY)
    assert (status, made["days"], made["at"], made["turns"]) == (201, ["sat", "sun"], "02:00:00", [])
    status, told = manager.post(SCHEDULES, NIGHTLY)
    assert (status, "has a schedule 'nightly' already" in told["error"]["message"]) == (409, True)
    other = manager.post(SCHEDULES, NIGHTLY | {"name": "weekly"})[1]
    assert manager.put(f"{SCHEDULES}/{other['id']}", NIGHTLY)[0] == 409
    status, put = manager.put(f"{SCHEDULES}/{other['id']}", NIGHTLY | {"name": "weekly", "is_active": False})
    assert (status, put["is_active"], put["created_by"]) == (200, False, "token caller manage")
    begin = f"{SCHEDULES}/{made['id']}/begin"
    assert Caller("deliver", project_id=project.pk).post(begin)[1]["state"] == "open"
    status, turn = manager.post(begin)
    assert (status, ScheduleTurn.objects.filter(state="open").get().pk) == (200, turn["id"])
    listed = manager.get(SCHEDULES)[1]["items"]
    assert [(row["name"], len(row["turns"])) for row in listed] == [("weekly", 0), ("nightly", 2)]
    assert manager.delete(f"{SCHEDULES}/{made['id']}") == (204, None)
    assert manager.post(begin)[0] == 404


def test_many_schedules_come_in_pages_at_one_cost(project, manager, django_assert_max_num_queries):
    for number in range(60):
        manager.post(SCHEDULES, NIGHTLY | {"name": f"nightly {number}"})
    with django_assert_max_num_queries(12):
        status, page = manager.get(SCHEDULES, limit=40)
    rest = manager.get(SCHEDULES, limit=40, before=page["next"])[1]
    names = [row["name"] for row in (*page["items"], *rest["items"])]
    assert (status, len(page["items"]), rest["next"]) == (200, 40, None)
    assert names == [f"nightly {number}" for number in reversed(range(60))]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"days": ["someday"]}, "days should be"),
        ({"what": "everything"}, "unknown kind"),
        ({"time_zone": "Mars/Base"}, "unknown time zone"),
        ({"minutes_per_day": 0}, "minutes_per_day"),
        ({"at": "25:00"}, "body.at"),
        ({"name": "  "}, "1 to 60 characters"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_a_sentence(manager, wrong, word):
    status, told = manager.post(SCHEDULES, NIGHTLY | wrong)
    assert (status, word in json.dumps(told)) == (422, True), told
    assert not Schedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_equal_names_at_once_make_one_schedule_and_a_conflict(project):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's test database is private to one connection; PostgreSQL's pass runs it")
    together, ended = threading.Barrier(4), []

    def add() -> None:
        timing = Timing(name="nightly", what="full", at=time(2), days=range(7))
        together.wait()
        try:
            schedule_add(project=project, timing=timing, now=timezone.now())
            ended.append("added")
        except ConflictError:
            ended.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == ["added", "conflict", "conflict", "conflict"]


def test_a_name_that_is_taken_is_a_conflict(manager):
    assert manager.post(SCHEDULES, NIGHTLY)[0] == 201
    status, told = manager.post(SCHEDULES, NIGHTLY)
    assert (status, "nightly" in json.dumps(told)) == (409, True), told


def test_a_token_is_shown_once_used_and_revoked(project, manager, client):
    status, made = manager.post("/projects/zoo/tokens", {"name": "ci", "purpose": "read", "days": 7})
    assert (status, made["purpose"], made["created_by"]) == (201, "read", "token caller manage")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert client.get("/api/v1/projects/zoo", headers=headers).status_code == 200
    listed = manager.get("/projects/zoo/tokens")[1]["items"]
    assert [row["name"] for row in listed] == ["ci", "caller manage"]
    assert made["secret"] not in json.dumps(listed)
    assert manager.post("/projects/zoo/tokens", {"name": "ci", "purpose": "read"})[0] == 409
    for _ in range(2):  # twice is once
        status, gone = manager.delete(f"/projects/zoo/tokens/{made['id']}")
        assert (status, gone["state"]) == (200, "revoked")
    assert client.get("/api/v1/projects/zoo", headers=headers).status_code == 401


def test_a_token_makes_none_that_may_manage_and_none_of_a_worker(manager):
    status, told = manager.post("/projects/zoo/tokens", {"name": "x", "purpose": "manage"})
    assert (status, "a person does" in told["error"]["message"]) == (403, True)
    assert manager.post("/projects/zoo/tokens", {"name": "x", "purpose": "worker"})[0] == 422
    assert Token.objects.count() == 1


def test_the_rule_of_detection_is_tried_changed_and_told_of(project, manager):
    address = "/projects/zoo/grading"
    now = manager.get(f"{address}/rule")[1]
    assert (now["since"], now["parameters"]) == (None, now["defaults"])
    status, trial = manager.post(f"{address}/try", {"score": 6.5, "relevant": {"latency_p50": 0.1}})
    assert (status, trial["tried"]["score"], trial["tried"]["relevant"]) == (200, 6.5, {"latency_p50": 0.1})
    assert (trial["now"], RuleChange.objects.count()) == (now["parameters"], 0)
    change = {"score": 6.5, "relevant": {"latency_p50": 0.1}, "reason": "Quieter machines.", "since": None}
    status, made = manager.put(f"{address}/rule", change)
    assert (status, made["actor"], made["parameters"]["score"]) == (200, "token caller manage", 6.5)
    status, told = manager.put(f"{address}/rule", change | {"score": 7.0})
    assert (status, "meanwhile" in told["error"]["message"]) == (422, True)
    back = {"relevant": {"latency_p50": None}, "reason": "The usual again.", "since": made["id"]}
    assert manager.put(f"{address}/rule", back)[1]["parameters"]["relevant"] == {}
    reasons = [row["reason"] for row in manager.get(f"{address}/changes")[1]["items"]]
    assert reasons == ["The usual again.", "Quieter machines."]
    newest = manager.get(f"{address}/rule")[1]["since"]
    case = {"relevant": {"cnn/**:latency_p50": 0.2}}
    assert manager.post(f"{address}/try", case)[1]["tried"]["relevant"] == case["relevant"]
    assert manager.put(f"{address}/rule", {**case, "reason": "A noisy model.", "since": newest})[0] == 200
    assert manager.get(f"{address}/rule")[1]["parameters"]["relevant"] == case["relevant"]
    status, told = manager.post(f"{address}/try", {"relevant": {"cnn:latency_p50": 0.3}})
    assert (status, "matches no case" in told["error"]["message"]) == (422, True)
    assert "can be 2 to 12" in manager.post(f"{address}/try", {"score": 99})[1]["error"]["message"]


def test_a_forks_commit_is_approved_and_its_author_distrusted(project, manager):
    told = PullTold(7, "e" * 40, "main", "eve", "41", from_fork=True, title="Fuse")
    head = pull_receive(project=project, forge="github", told=told)
    listed = manager.get("/projects/zoo/pulls")[1]["items"]
    assert [(row["number"], row["head_id"], row["head_state"]) for row in listed] == [(7, head.pk, "waiting")]
    address = f"/projects/zoo/pulls/heads/{head.pk}/approve"
    assert Caller("deliver", project_id=project.pk).post(address)[0] == 403
    assert manager.post(address, {"trust_author": True})[0] == 200
    assert PullHead.objects.get().approved_by == "token caller manage"
    status, again = manager.post(address)
    assert (status, "does not wait" in again["error"]["message"]) == (409, True)
    detail = manager.get("/projects/zoo/pulls/github/7")[1]
    assert [(row["sha"], row["check"], row["rows"]) for row in detail["heads"]] == [("e" * 40, "pending", [])]
    trusted = manager.get("/projects/zoo/trusted-authors")[1]["items"]
    assert [row["author"] for row in trusted] == ["eve"]
    assert manager.delete(f"/projects/zoo/trusted-authors/{trusted[0]['id']}") == (204, None)
    assert not TrustedAuthor.objects.exists()


def test_what_a_token_changed_is_in_the_audit_log_without_secrets(project):
    everywhere = Caller("manage")
    made = everywhere.post("/projects/zoo/tokens", {"name": "ci", "purpose": "read"})[1]
    rows = everywhere.get("/audit", q="token caller")[1]["items"]
    assert [(row["actor"], row["action"]) for row in rows] == [("token caller manage", "api-v1:token_new")]
    assert made["secret"] not in json.dumps(rows)
    assert AuditEntry.objects.count() == 1
    assert Caller("read").get("/audit")[0] == 403
