"""Telling a forge: once for each change, again after an error, never after a permanent one."""

import ipaddress
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.alerts.models import Channel
from perfsite.pulls import telling
from perfsite.pulls.models import PullHead
from perfsite.pulls.services import head_approve, pull_close, pull_receive
from perfsite.pulls.told import PullTold
from tests.alerts.http_sink import http_sink
from tests.factories import project_make


class Recorded:
    """A forge that remembers, or fails with the error it was given."""

    def __init__(self):
        self.statuses, self.comments, self.error = [], [], None

    def status_set(self, **told):
        if self.error:
            raise self.error
        self.statuses.append(told)

    def comment_put(self, **told):
        self.comments.append(told)
        return told["known"] or 5_000_000_000


@pytest.fixture
def forge(monkeypatch):
    recorded = Recorded()
    monkeypatch.setitem(telling.FORGES, "github", recorded)
    return recorded


@pytest.fixture
def head(db):
    told = PullTold(7, "e" * 40, "main", "eve", "41", from_fork=True)
    return pull_receive(project=project_make(), forge="github", told=told)


def due(head):
    PullHead.objects.filter(pk=head.pk).update(tell_due_at=timezone.now() - timedelta(seconds=1))


def test_a_head_is_told_once_for_each_change(head, forge):
    assert [telling.heads_tell(), telling.heads_tell()] == [1, 0]
    (status,) = forge.statuses
    assert (status["sha"], status["state"]) == ("e" * 40, "pending")
    assert "approve" in status["description"]
    assert status["url"].endswith("/pulls/github/7/")
    assert forge.comments[0]["marker"] == "pull request"
    assert "<!--" not in forge.comments[0]["body"]
    assert forge.comments[0]["known"] is None
    head_approve(head=head, actor="ada")
    assert telling.heads_tell() == 1
    PullHead.objects.update(state="skipped", reason="the pull request changes only README.md")
    assert telling.heads_tell() == 1
    assert [status["state"] for status in forge.statuses] == ["pending", "pending", "success"]
    assert len(forge.comments) == 2  # while it waits to run, the check alone says so
    assert forge.comments[1]["known"] == 5_000_000_000  # GitHub's ids outgrew 32 bits


def test_one_head_that_cannot_be_told_keeps_no_other_from_being_told(head, forge, monkeypatch):
    told = PullTold(8, "f" * 40, "main", "eve", "41", from_fork=True)
    pull_receive(project=head.pull.project, forge="github", told=told)
    whole = telling.outcome_of

    def broken(*, head, jobs):
        if head.pull.number == 7:
            raise KeyError("watch")
        return whole(head=head, jobs=jobs)

    monkeypatch.setattr(telling, "outcome_of", broken)
    assert telling.heads_tell() == 1
    assert [status["sha"] for status in forge.statuses] == ["f" * 40]


def test_an_older_head_that_is_told_late_leaves_the_comment_to_the_newest(head, forge):
    PullHead.objects.update(state="planned")
    told = PullTold(7, "f" * 40, "main", "eve", "41", from_fork=True)
    pull_receive(project=head.pull.project, forge="github", told=told)  # the result before stands
    assert telling.heads_tell() == 2
    assert {status["sha"] for status in forge.statuses} == {"e" * 40, "f" * 40}
    (comment,) = forge.comments
    assert "fffffff" in comment["body"]


def test_error_is_tried_again_and_a_permanent_one_is_not(head, forge):
    forge.error = DeliveryError("503")
    assert telling.heads_tell() == 0
    head.refresh_from_db()
    assert (head.tell_error, head.tell_tries) == ("503", 1)
    assert head.tell_due_at > timezone.now()
    due(head)
    forge.error = DeliveryError("no such repository", permanent=True)
    assert telling.heads_tell() == 0
    due(head)
    forge.error = None
    assert telling.heads_tell() == 0
    PullHead.objects.update(state="failed", reason="something new to tell")
    due(head)
    assert telling.heads_tell() == 1
    head.refresh_from_db()
    assert head.tell_error == ""


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(timedelta(minutes=20), 20, 21), (timedelta(days=9), 24 * 60, 24 * 60 + 1), (None, 0.2, 0.6)],
    ids=["as asked", "a day at most", "nothing asked"],
)
def test_a_forge_that_asks_for_time_is_given_it(head, forge, asked, least, most):
    forge.error = DeliveryError("429", retry_after=asked)
    before = timezone.now()
    telling.heads_tell()
    head.refresh_from_db()
    assert timedelta(minutes=least) <= head.tell_due_at - before <= timedelta(minutes=most)


@pytest.mark.parametrize(
    ("value", "least", "most"), [("1200", 1200, 1205), ("date", 1190, 1205)], ids=["seconds", "date"]
)
def test_retry_after_of_a_real_answer_is_heard(head, settings, value, least, most):
    settings.ALERTS_HTTP = True
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    before = timezone.now()
    wanted = format_datetime(before + timedelta(minutes=20), usegmt=True) if value == "date" else value
    with http_sink() as sink:
        sink.say(503, b"busy", Retry_After=wanted)
        Channel.objects.create(
            project=head.pull.project, kind="github", name="forge", settings={"api_url": sink.url},
            secrets={"token": "t0ken"},
        )  # fmt: skip
        telling.heads_tell()
    head.refresh_from_db()
    assert least <= (head.tell_due_at - before).total_seconds() <= most


@pytest.mark.parametrize("closed", [False, True])
def test_the_check_of_a_superseded_head_is_concluded_once(db, forge, closed):
    told = PullTold(7, "e" * 40, "main", "eve", "41", from_fork=False)
    head = pull_receive(project=project_make(), forge="github", told=told)
    assert telling.heads_tell() == 1
    assert forge.statuses[0]["state"] == "pending"
    if closed:
        pull_close(project=head.pull.project, forge="github", told=told)
    else:
        pull_receive(project=head.pull.project, forge="github", told=replace(told, sha="f" * 40))
    telling.heads_tell()
    assert telling.heads_tell() == 0
    last = [status for status in forge.statuses if status["sha"] == head.sha][-1]
    why = "the pull request was closed" if closed else "superseded by fffffff"
    assert (last["state"], last["description"]) == ("cancelled", f"Cancelled, not compared: {why}")
    assert not forge.comments
    # pushed back to it: it is compared after all
    pull_receive(project=head.pull.project, forge="github", told=told)
    telling.heads_tell()
    assert [status["state"] for status in forge.statuses if status["sha"] == head.sha][-1] == "pending"


def test_a_head_that_nobody_was_told_of_needs_no_conclusion(head, forge):
    PullHead.objects.update(state="superseded", reason="superseded by fffffff")
    assert telling.heads_tell() == 0
    assert not forge.statuses
