"""The work: runs, jobs, attempts, the workers that make them."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from perfsite.runs.models.builds import Build


class Run(models.Model):
    """One build measured on one device class: a group of jobs."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="runs")
    device_class = models.CharField(max_length=64)
    state = models.CharField(max_length=12, default="queued")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["build", "device_class"], name="run_once_per_class"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} on {self.device_class}"


class Job(models.Model):
    """The unit of queue work, one lease of one device.  `spec` is the order without its attempt."""

    class Kind(models.TextChoices):
        MEASURE = "measure"
        COMPARE = "compare"
        SOAK = "soak"
        PROFILE = "profile"
        EXTERNAL = "external"  # nobody's order: results that were measured elsewhere

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MEASURE)
    device_class = models.CharField(max_length=64)
    pin = models.CharField(max_length=100, blank=True, help_text="the only device uuid that may take it")
    model = models.CharField(max_length=100)
    precision = models.CharField(max_length=20)
    spec = models.JSONField()
    priority = models.SmallIntegerField(default=0, help_text="a larger number goes first")
    state = models.CharField(max_length=12, default="queued")
    tries = models.PositiveSmallIntegerField(default=0)
    failure_kind = models.CharField(max_length=20, blank=True)
    failure = models.TextField(blank=True)
    log = models.TextField(blank=True, help_text="the tail of the last attempt's log")
    progress = models.JSONField(default=dict)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # the claim: the best queued job of a class, and nothing else is read
            models.Index(
                fields=["device_class", "-priority", "id"],
                name="job_claim",
                condition=models.Q(state="queued"),
            ),
            models.Index(fields=["state"], name="job_by_state"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.kind} {self.model}/{self.precision})"


class Worker(models.Model):
    """A process that measures on one device; it introduced itself and says that it lives."""

    name = models.CharField(max_length=100, unique=True)
    device_class = models.CharField(max_length=64)
    device_name = models.CharField(max_length=200)
    device_uuid = models.CharField(max_length=100)
    facts = models.JSONField(default=dict)
    telemetry = models.JSONField(default=dict)
    token = models.ForeignKey(
        "access.Token",
        null=True,
        on_delete=models.SET_NULL,
        related_name="workers",
        help_text="the only one that may speak for it, while it lives",
    )
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """One try of a job by one worker; its token is the fence, a superseded token writes nothing."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="attempts")
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=12, default="running")
    reason = models.TextField(blank=True)
    exit_code = models.IntegerField(null=True)
    claimed_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    lease_expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once"),
            # the database itself refuses a second live attempt of a job
            models.UniqueConstraint(
                fields=["job"], condition=models.Q(state="running"), name="attempt_one_alive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_expires_at"],
                name="attempt_by_lease",
                condition=models.Q(state="running"),
            ),
            models.Index(
                fields=["worker"],
                name="attempt_of_worker",
                condition=models.Q(state="running"),
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of job {self.job_id}"


class Pair(models.Model):
    """One finished pair of a comparison, kept as soon as it was run: a killed worker loses none.

    `values` has a row `[case index, metric, a, b]` per metric; pairs of another device do not count.  A row
    without a case index holds the builds' digests, or a case that was disturbed, of which the pair does not.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="pairs")
    number = models.PositiveSmallIntegerField()
    device_uuid = models.CharField(max_length=100)
    values = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="pair_once"),
        ]

    def __str__(self) -> str:
        return f"pair {self.number} of job {self.job_id}"


class SiteStart(models.Model):
    """When the site last came up: leases expire only after it was up for a full term."""

    started_at = models.DateTimeField(default=timezone.now)
    swept_at = models.DateTimeField(null=True)
