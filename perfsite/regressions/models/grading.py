"""How right the service is: its self-tests, and the rule they are about."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.results.models import Series
from perfsite.runs.models import Job, Project


class SelfTest(models.Model):
    """One metric of one comparison of a build with itself: any change it tells is false."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="self_tests")
    series = models.ForeignKey(Series, null=True, on_delete=models.SET_NULL, related_name="self_tests")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="self_tests")
    metric = models.CharField(max_length=60)
    device_class = models.CharField(max_length=64)
    verdict = models.CharField(max_length=10)
    relative = models.FloatField()
    pairs = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "series"], name="self_test_once", condition=models.Q(series__isnull=False)
            ),
        ]
        indexes = [models.Index(fields=["project", "-created_at"], name="self_test_list")]

    def __str__(self) -> str:
        return f"self-test of {self.metric} in job {self.job_id}"


class RuleChange(models.Model):
    """The rule's parameters of a project from a moment on; append-only, the newest counts."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rule_changes")
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, blank=True)
    parameters = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="rule_newest")]

    def __str__(self) -> str:
        return f"rule of {self.project_id} since {self.at:%Y-%m-%d}"
