"""What a person triages: incidents, what they hold, and what happened to them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.regressions.models.screening import Verdict
from perfsite.results.models import Series
from perfsite.runs.models import Build, Job, Project


class Incident(models.Model):
    """The regressions one build is accused of; what a person triages.

    The accused build is unique: two passes at once make one incident.  One of kind `service` may stand
    beside it, the breach of a service level, `level`: it has `standings` and no regressions, and accuses
    nobody.  `culprit` is the commit that a bisection found among those that were not measured.  An incident
    of kind `environment` accuses the machine or its toolchain, and nobody's commit.  A withdrawn one stays,
    with the reason; when it stands again that is another `opening`, which is told anew.

    `state` is `override`, a person's word, or what the data say (`incident_states.py`).  `original_build`
    and `original_start` are the range it was opened with, set once it was moved.  A merged incident stays,
    empty, and leads to the one that took its regressions.
    """

    class Kind(models.TextChoices):
        CODE = "code"
        ENVIRONMENT = "environment"
        SERVICE = "service"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="incidents")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="incidents")
    range_start = models.ForeignKey(
        Build, on_delete=models.CASCADE, related_name="+", help_text="the last build known to be good"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.CODE)
    level = models.CharField(max_length=400, blank=True, help_text="the key of a breached service level")
    culprit = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=15, default="untriaged")
    override = models.CharField(
        max_length=15, blank=True, help_text="a person's word; empty: as the data say"
    )
    assignee = models.CharField(max_length=254, blank=True, help_text="a user name or an e-mail address")
    note = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    links = models.JSONField(default=list)
    due_on = models.DateField(null=True)
    original_build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    original_start = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="merged")
    fixed_at = models.DateTimeField(null=True, help_text="when later builds had shown that it is mended")
    opened_at = models.DateTimeField(default=timezone.now)
    opening = models.PositiveSmallIntegerField(
        default=1, help_text="one more each time that it stands again after it was taken back"
    )
    reopened_at = models.DateTimeField(null=True, help_text="when it last stood again")
    told_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="what else was found out about it, by topic")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["build"], condition=~models.Q(kind="service"), name="incident_once_per_build"
            ),
            models.UniqueConstraint(
                fields=["project", "level", "build"],
                condition=models.Q(kind="service"),
                name="breach_once_per_level_and_build",
            ),
        ]
        indexes = [models.Index(fields=["project", "state", "-opened_at"], name="incident_list")]

    def __str__(self) -> str:
        return f"incident {self.pk}: {self.build}"


class Regression(models.Model):
    """A change point that is significant and relevant, of one series, in one incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="regressions")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="regressions")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="regressions")
    verdict = models.OneToOneField(Verdict, on_delete=models.PROTECT, related_name="regression")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "build"], name="regression_once"),
        ]

    def __str__(self) -> str:
        return f"regression of {self.series_id} at {self.build_id}"


class LevelStanding(models.Model):
    """How a series stands to a service level, as its newest build's report says; `bound` is that build's.

    `value` and `bound` are in the metric's unit.  `incident` is the open breach it belongs to.
    """

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="standings")
    level = models.CharField(max_length=400)
    direction = models.CharField(max_length=10)  # at_most, at_least
    bound = models.FloatField()
    value = models.FloatField()
    is_met = models.BooleanField()
    ordinal = models.PositiveIntegerField()
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="standings")
    incident = models.ForeignKey(Incident, null=True, on_delete=models.SET_NULL, related_name="standings")
    since = models.DateTimeField(default=timezone.now, help_text="since when it is met, or is not")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "level"], name="standing_once"),
        ]

    def __str__(self) -> str:
        return f"{self.level} of series {self.series_id}: {'met' if self.is_met else 'breached'}"


class IncidentEvent(models.Model):
    """What happened to an incident, in order; append-only.  `actor` is empty where the service did it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, blank=True)
    code = models.CharField(max_length=30)
    sentence = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["incident", "id"], name="event_by_incident")]

    def __str__(self) -> str:
        return self.sentence
