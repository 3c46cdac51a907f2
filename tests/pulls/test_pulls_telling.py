"""Telling a forge: once for each change, again after an error, never after a permanent one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts.channels import DeliveryError
from perfsite.pulls import telling
from perfsite.pulls.models import PullHead
from perfsite.pulls.services import head_approve, pull_close, pull_receive
from perfsite.pulls.told import PullTold
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
    head_approve(head=head, actor="ada")
    assert telling.heads_tell() == 1
    PullHead.objects.update(state="skipped", reason="the pull request changes only README.md")
    assert telling.heads_tell() == 1
    assert [status["state"] for status in forge.statuses] == ["pending", "pending", "success"]
    assert len(forge.comments) == 2  # while it waits to run, the check alone says so


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
