"""What the screen remembers, doubts, and what was decided about a build of a series."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.results.models import Series
from perfsite.runs.models import Build, Job


class SeriesState(models.Model):
    """How far the screen has come in a series: a series is screened strictly in branch order.

    `screened_through` is the ordinal of the newest screened point and `build` the build it belonged
    to: after a force-push another build may hold that place, which sets the state back.
    `level_start` is the ordinal where the present level began: after the last settled change.
    """

    series = models.OneToOneField(
        Series, primary_key=True, on_delete=models.CASCADE, related_name="screen_state"
    )
    screened_through = models.PositiveIntegerField(default=0)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    level_start = models.PositiveIntegerField(default=0)
    screen = models.JSONField(default=dict, help_text="what the screen remembers; rebuildable from the rows")

    def __str__(self) -> str:
        return f"series {self.series_id} screened through {self.screened_through}"


AGAIN = "again"  # in a suspicion's evidence: the build that was suspected of this level before


class Suspicion(models.Model):
    """The screen found a point odd and ordered a comparison; open until a verdict settles it.

    While one is open, later points of the series wait: they would be judged against the wrong level.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="suspicions")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="suspicions")
    base = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    trigger = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="+", help_text="the measure job whose point stood out"
    )
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="suspicions")
    state = models.CharField(max_length=10, default="open")  # open, settled
    evidence = models.JSONField(default=dict)
    opened_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "build"], name="suspicion_once"),
            models.UniqueConstraint(
                fields=["series"], condition=models.Q(state="open"), name="suspicion_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"suspicion about {self.series_id} at {self.build_id}"


class Verdict(models.Model):
    """What was decided about one build of one series; append-only, the newest counts."""

    class Kind(models.TextChoices):
        REGRESSED = "regressed"
        IMPROVED = "improved"
        SAME = "same"
        UNKNOWN = "unknown"

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="verdicts")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="verdicts")
    base = models.ForeignKey(Build, null=True, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="verdicts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    stage = models.CharField(max_length=12)  # screen, confirmation
    before = models.FloatField()
    after = models.FloatField()
    relative = models.FloatField()
    relative_low = models.FloatField(null=True)
    relative_high = models.FloatField(null=True)
    evidence = models.JSONField(default=dict)
    sentence = models.TextField()
    detector = models.CharField(max_length=60)
    parameters = models.JSONField(default=dict)
    data_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["series", "build", "-id"], name="verdict_newest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"
