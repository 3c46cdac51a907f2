"""Deliveries: one row per accepted webhook; its id is unique, a replay is a no-op."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.runs.models import Project


class Delivery(models.Model):
    """One incoming webhook whose signature was right."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="deliveries")
    forge = models.CharField(max_length=20)
    delivery_id = models.CharField(max_length=100)
    event = models.CharField(max_length=60)
    outcome = models.CharField(max_length=12)  # accepted, ignored, answered
    reason = models.TextField(blank=True)
    builds = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # the id is not signed: only this constraint stops a replay
            models.UniqueConstraint(fields=["project", "forge", "delivery_id"], name="delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self.forge} {self.delivery_id}"


class RefusalCount(models.Model):
    """How many deliveries were refused, per project, reason and day: all that a forged one leaves."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="refusals")
    reason = models.CharField(max_length=20)
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "reason", "day"], name="refusal_once_per_day"),
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.reason} on {self.day}"
