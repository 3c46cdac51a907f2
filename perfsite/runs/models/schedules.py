"""What is measured by the clock, and what became of each turn."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.runs.models.builds import Build, Project
from perfsite.runs.models.jobs import Job


class Schedule(models.Model):
    """What a project measures by the clock: at a local time of some weekdays, Monday is 0.

    `due_at` is when it is due next; `minutes_per_day` bounds the device time of its jobs in a local day.
    """

    class What(models.TextChoices):
        FULL = "full", "every model that the newest build was not measured with"
        SOAK = "soak", "the soaks of the newest build"
        CANARY = "canary", "the canary alone: is the device well?"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="schedules")
    name = models.CharField(max_length=60)
    what = models.CharField(max_length=10, choices=What.choices)
    at = models.TimeField()
    days = models.JSONField(help_text="weekdays, Monday is 0")
    time_zone = models.CharField(max_length=60, default="UTC")
    device_class = models.CharField(max_length=64, blank=True, help_text="empty: those of perfsite.toml")
    minutes_per_day = models.FloatField(default=120.0)
    is_active = models.BooleanField(default=True)
    due_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="schedule_name_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="schedule_due", condition=models.Q(is_active=True)),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.project_id}"


class ScheduleTurn(models.Model):
    """One time that a schedule was due, caught up late or in time."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="turns")
    due_at = models.DateTimeField()
    begun_at = models.DateTimeField(default=timezone.now)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, default="open")  # open, ended
    reason = models.TextField(blank=True, help_text="why it waits or ended, for people")
    wanted = models.PositiveIntegerField(default=0, help_text="jobs in all")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="turn_once"),
        ]
        indexes = [
            models.Index(fields=["id"], name="turn_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"turn of schedule {self.schedule_id} at {self.due_at:%Y-%m-%d %H:%M}"


class ScheduledJob(models.Model):
    """A job that a turn queued; `place` tells which of the turn's it is, so that none is queued twice."""

    turn = models.ForeignKey(ScheduleTurn, on_delete=models.CASCADE, related_name="jobs")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="scheduled")
    place = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["turn", "place"], name="scheduled_once"),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} of turn {self.turn_id}"
