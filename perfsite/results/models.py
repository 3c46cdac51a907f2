"""What was measured: reports, environments, series and their points, artifacts."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.runs.cases import case_label
from perfsite.runs.models import Attempt, Build, Job, Project


class Environment(models.Model):
    """Every fact of a machine and its toolchain; equal facts are one row.

    `split` holds the few declared facts that split series; all others are stored and shown.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    facts = models.JSONField()
    missing = models.JSONField(default=dict)
    split = models.CharField(max_length=200)
    first_seen = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]


class Report(models.Model):
    """A job's accepted report, stored once; its whole body is an artifact of kind `report`.

    `screened_at` is null until the screen has seen it: that null, not a message, is the work list.
    `points`, `judged` and `unstable` count the points it gave to series, so that a page of builds need
    not count millions of them; `canary` holds its readings of the pinned computation.
    """

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="report")
    # null where it was measured elsewhere: no worker of ours tried
    attempt = models.OneToOneField(Attempt, null=True, on_delete=models.CASCADE, related_name="report")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="reports")
    kind = models.CharField(max_length=10)
    outcomes = models.JSONField(default=list)
    stages = models.JSONField(default=list)
    remarks = models.JSONField(default=list)
    comparisons = models.JSONField(default=list)
    canary = models.JSONField(default=list)
    points = models.PositiveIntegerField(default=0)
    judged = models.PositiveIntegerField(default=0)
    unstable = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=timezone.now)
    screened_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="report_unscreened", condition=models.Q(screened_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"report of job {self.job_id}"


class Series(models.Model):
    """One metric of one case on one device class over the builds of one branch."""

    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the fields below")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="series")
    branch = models.CharField(max_length=200)
    device_class = models.CharField(max_length=64)
    split = models.CharField(max_length=200)
    model = models.CharField(max_length=100)
    runner = models.CharField(max_length=30)
    precision = models.CharField(max_length=20)
    shape = models.CharField(max_length=200)
    suite = models.CharField(max_length=30)
    metric = models.CharField(max_length=60)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "series"
        indexes = [models.Index(fields=["project", "branch", "model", "metric"], name="series_by_project")]

    def __str__(self) -> str:
        return self.label

    @property
    def case_label(self) -> str:
        """`model/runner/precision/shape`, the case as people write it."""
        return case_label(self)

    @property
    def label(self) -> str:
        """The case, the metric and the device class."""
        return f"{self.case_label} {self.metric} on {self.device_class}"


class Measurement(models.Model):
    """A point of a series: the value of one build, from its accepted report.

    `value`, `ci_low` and `ci_high` are in the metric's unit; `n` counts the raw samples behind it.
    The covering index holds all a chart reads (tried: 11 ms for 10,000 of 10 million rows, 30 without).
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="points", db_index=False)
    ordinal = models.PositiveIntegerField()
    value = models.FloatField()
    ci_low = models.FloatField(null=True)
    ci_high = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=1)
    unstable = models.BooleanField(default=False)
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="points", db_index=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="points", db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "ordinal"], name="point_once"),
        ]
        indexes = [
            models.Index(fields=["series", "ordinal", "value", "ci_low", "ci_high"], name="point_cover"),
        ]

    def __str__(self) -> str:
        return f"{self.series_id}@{self.ordinal} = {self.value}"


def artifact_path(artifact: Artifact, name: str) -> str:
    """Where an artifact lies: by its digest, so that equal files are one."""
    return f"{artifact.sha256[:2]}/{artifact.sha256}"


class Artifact(models.Model):
    """A file a job made, known by its digest.  `size` is in bytes."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveBigIntegerField()
    file = models.FileField(upload_to=artifact_path, max_length=200)
    stored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "name"], name="artifact_once_per_job"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of job {self.job_id}"
