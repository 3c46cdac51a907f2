"""Notifications, one row per attempt to tell someone, and the outbox of the embedded home."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.regressions.models import Incident


class Notification(models.Model):
    """One person told about one incident by one channel: saved before the network call."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="notifications")
    channel = models.CharField(max_length=30)
    recipient = models.CharField(max_length=254)
    state = models.CharField(max_length=10, default="queued")
    key = models.CharField(max_length=100, unique=True, help_text="the Message-ID: a second one is the same")
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "channel", "recipient"], name="told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.recipient}: {self.state}"


class OutboxMail(models.Model):
    """A mail the embedded home kept instead of sending; shown on the outbox page."""

    message_id = models.CharField(max_length=250, unique=True)
    sender = models.CharField(max_length=254)
    recipients = models.JSONField()
    subject = models.CharField(max_length=500)
    text = models.TextField()
    html = models.TextField(blank=True)
    kept_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.subject
