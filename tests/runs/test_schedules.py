"""Schedules: due times with an injected clock, turns that are caught up once, budgets, priorities."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from perfsite.core.errors import PerfsiteError
from perfsite.runs import schedule_turns
from perfsite.runs.calendar import days_read, due_after, due_before
from perfsite.runs.models import Attempt, Job, Schedule, ScheduleTurn
from perfsite.runs.plan import builds_plan
from perfsite.runs.queue import job_claim
from perfsite.runs.schedule_turns import turns_step
from perfsite.runs.schedules import (
    Timing,
    schedule_add,
    schedule_switch,
    turn_now,
    turns_begin,
)
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_SCHEDULE, PRIORITY_SOAK
from perfsite.runs.sweep import priorities_age
from tests.factories import project_make, worker_make
from tests.runs.repository import Repository, push

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)  # a Friday
CONFIG = """
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
[models.big]
catalogue = "tiny-cnn"
precisions = ["fp32", "fp16"]
when = "schedule"
[models.soaked]
catalogue = "tiny-cnn"
suites = ["soak"]
when = "schedule"
"""


@pytest.mark.parametrize(
    ("after", "at", "days", "due"),
    [
        ("2026-11-27T12:00", time(2), range(7), "2026-11-28T01:00"),
        ("2026-11-28T00:59", time(2), range(7), "2026-11-28T01:00"),
        ("2026-11-28T01:00", time(2), range(7), "2026-11-29T01:00"),
        ("2026-11-27T12:00", time(2), [6], "2026-11-29T01:00"),
        # the night in which 02:30 is left out, and the one in which it comes twice
        ("2026-03-28T12:00", time(2, 30), range(7), "2026-03-29T01:30"),
        ("2026-10-24T12:00", time(2, 30), range(7), "2026-10-25T00:30"),
        ("2026-10-25T00:30", time(2, 30), range(7), "2026-10-26T01:30"),
    ],
)
def test_due_times_are_local_and_come_once_a_day(after, at, days, due):
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = due_after(moment, at=at, days=set(days), zone=BERLIN)
    assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert due_before(found, at=at, days=set(days), zone=BERLIN) == found


def test_days_are_read_and_mistakes_told():
    assert days_read("daily") == tuple(range(7))
    assert days_read("Sat, mon") == (0, 5)
    with pytest.raises(ValueError, match="not 'someday'"):
        days_read("someday")


@pytest.fixture
def project(db, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    repository = Repository(tmp_path / "models")
    worker_make()
    project = project_make(repo=str(repository.path))
    push(project, repository.commit("one", perfsite_DOT_toml=CONFIG))
    builds_plan()
    return project


def added(project, what="full", **values):
    now = values.pop("now", NOON)
    values = {"name": what, "at": time(2), "days": range(7), "time_zone": "UTC", **values}
    return schedule_add(project=project, timing=Timing(what=what, **values), now=now)


def ended(job, minutes, now):
    """The job was claimed and reported, and took so long."""
    attempt = job_claim(worker=worker_make())
    assert attempt.job == job
    started = now - timedelta(minutes=minutes)
    Attempt.objects.filter(pk=attempt.pk).update(state="reported", claimed_at=started, ended_at=now)
    Job.objects.filter(pk=job.pk).update(state="done", ended_at=now)


def finish_pushed():
    Job.objects.update(state="done")


def test_models_for_schedules_are_not_measured_at_a_push(project):
    assert [job.model for job in Job.objects.all()] == ["cnn"]


def test_full_matrix_queues_what_the_head_lacks_one_job_per_device_at_a_time(project):
    schedule = added(project)
    night = schedule.due_at
    assert (turns_begin(now=night - timedelta(seconds=1)), turns_begin(now=night)) == (0, 1)
    assert turns_begin(now=night) == 0  # a doubled task begins none
    finish_pushed()
    assert (turns_step(now=night), turns_step(now=night)) == (1, 0)
    first = Job.objects.get(scheduled__isnull=False)
    assert (first.model, first.precision, first.priority) == ("big", "fp32", PRIORITY_SCHEDULE)
    ended(first, 3, night)
    assert turns_step(now=night) == 1
    second = Job.objects.exclude(pk=first.pk).get(scheduled__isnull=False)
    assert second.precision == "fp16"
    ended(second, 3, night)
    turns_step(now=night)
    turn = ScheduleTurn.objects.get()
    assert (turn.state, turn.reason, turn.wanted, turn.build.ordinal) == ("ended", "", 2, 1)
    # the next night has nothing left to do, and says so
    tomorrow = night + timedelta(days=1)
    turns_begin(now=tomorrow)
    assert turns_step(now=tomorrow) == 0
    assert "measured with all of it already" in ScheduleTurn.objects.last().reason


def test_missed_times_are_caught_up_once(project):
    schedule = added(project)
    late = schedule.due_at + timedelta(days=9, hours=5)
    assert turns_begin(now=late) == 1
    turn = ScheduleTurn.objects.get()
    assert turn.due_at == schedule.due_at + timedelta(days=9)
    schedule.refresh_from_db()
    assert schedule.due_at == turn.due_at + timedelta(days=1)
    assert turns_begin(now=late) == 0


def test_next_turn_ends_one_that_is_still_open(project):
    schedule = added(project)
    finish_pushed()
    turns_begin(now=schedule.due_at)
    turns_begin(now=schedule.due_at + timedelta(days=1))
    states = list(ScheduleTurn.objects.order_by("id").values_list("state", "reason"))
    assert states == [("ended", "ended by the next turn"), ("open", "")]


def test_budget_of_the_day_holds_and_the_next_day_goes_on(project):
    schedule = added(project, days=[5], minutes_per_day=10, time_zone="Europe/Berlin")
    night = schedule.due_at
    finish_pushed()
    turns_begin(now=night)
    turns_step(now=night)
    later = night + timedelta(minutes=30)
    ended(Job.objects.get(scheduled__isnull=False), 11, later)
    assert turns_step(now=later) == 0
    turn = ScheduleTurn.objects.get()
    assert (turn.state, "1 of 2 jobs wait for the next day" in turn.reason) == ("open", True)
    # the day is the local one: 23:10 UTC is tomorrow in Berlin
    assert turns_step(now=night.replace(hour=22, minute=50)) == 0
    assert turns_step(now=night.replace(hour=23, minute=10)) == 1


def test_soaks_and_the_canary_alone(project):
    soaks, canary = added(project, "soak"), added(project, "canary")
    night = soaks.due_at
    turns_begin(now=night)
    turns_step(now=night)
    jobs = {job.scheduled.turn.schedule.what: job for job in Job.objects.filter(scheduled__isnull=False)}
    assert (jobs["soak"].kind, jobs["soak"].priority) == ("soak", PRIORITY_SOAK)
    assert (jobs["canary"].kind, jobs["canary"].model) == ("measure", "canary")
    assert jobs["canary"].spec["source"]["ref"] == "tiny-cnn"
    Job.objects.update(state="done")
    tomorrow = night + timedelta(days=1)
    turns_begin(now=tomorrow)
    turns_step(now=tomorrow)
    again = Job.objects.filter(scheduled__turn__schedule=canary, state="queued")
    assert again.count() == 1  # the canary is measured every time, a soak once a build
    assert not Job.objects.filter(scheduled__turn__schedule=soaks, state="queued").exists()


def test_scheduled_jobs_go_behind_pushes_and_backfill_and_never_age(project):
    schedule = added(project, "canary")
    turns_begin(now=schedule.due_at)
    turns_step(now=schedule.due_at)
    assert PRIORITY_SOAK < PRIORITY_SCHEDULE < PRIORITY_BEHIND
    Job.objects.update(created_at=NOON - timedelta(days=2))
    priorities_age()
    assert Job.objects.get(scheduled__isnull=False).priority == PRIORITY_SCHEDULE
    assert job_claim(worker=worker_make()).job.model == "cnn"  # the push's head


def test_paused_schedule_is_not_due_and_catches_nothing_up(project):
    schedule = added(project)
    schedule_switch(schedule=schedule, is_active=False, now=NOON)
    week = schedule.due_at + timedelta(days=7)
    assert turns_begin(now=week) == 0
    schedule_switch(schedule=schedule, is_active=True, now=week)
    assert turns_begin(now=week) == 0
    schedule.refresh_from_db()
    assert schedule.due_at > week
    turn = turn_now(schedule=schedule, now=week)
    assert turn.state == "open"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"time_zone": "Europe/Atlantis"}, "unknown time zone"),
        ({"days": []}, "at least one weekday"),
        ({"minutes_per_day": 0}, "more than 0"),
        ({"what": "everything"}, "unknown kind"),
        ({"name": " "}, "1 to 60 characters"),
    ],
)
def test_schedule_that_makes_no_sense_is_refused(project, values, words):
    with pytest.raises(PerfsiteError, match=words):
        added(project, **values)
    assert Schedule.objects.count() == 0


def test_one_turn_that_fails_holds_up_no_other(project, monkeypatch):
    for name in ("first", "second"):
        turn_now(schedule=added(project, name=name), now=NOON)
    whole = schedule_turns.config_at

    def broken(**told):
        monkeypatch.setattr(schedule_turns, "config_at", whole)
        raise KeyError("oddity")

    monkeypatch.setattr(schedule_turns, "config_at", broken)
    assert turns_step(now=NOON) > 0
    assert ScheduleTurn.objects.filter(state="open").count() == 2


@pytest.mark.django_db(transaction=True)
def test_git_is_read_while_nothing_is_locked(project, monkeypatch):
    turn_now(schedule=added(project), now=NOON)
    whole = schedule_turns.config_at

    def watched(**told):
        assert not connection.in_atomic_block
        return whole(**told)

    monkeypatch.setattr(schedule_turns, "config_at", watched)
    assert turns_step(now=NOON) == 1  # an error would be logged, and nothing queued
