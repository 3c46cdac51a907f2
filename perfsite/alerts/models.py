"""Channels, rules, mutes, what was decided about whom to tell, and one row per notification and per try."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.runs.models import Build, Project


class Channel(models.Model):
    """A way to tell people about one project.  `settings` are shown, `secrets` never again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=20, help_text="a row of the registry in `channels/`")
    name = models.CharField(max_length=80)
    settings = models.JSONField(default=dict)
    secrets = models.JSONField(default=dict)
    is_enabled = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, help_text="when the other side refused it for good")
    disabled_reason = models.TextField(blank=True)
    unanswered = models.PositiveSmallIntegerField(default=0, help_text="calls in a row without an answer")
    refused = models.JSONField(default=list, help_text="the messages that it refused since it took one")
    rests_until = models.DateTimeField(null=True, help_text="not called before, since it did not answer")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="channel_name_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"

    @property
    def is_usable(self) -> bool:
        """Whether messages go out by it now."""
        return self.is_enabled and self.disabled_at is None

    @property
    def is_resting(self) -> bool:
        """Whether it is not called for now, since it did not answer or asked for time."""
        return self.rests_until is not None and self.rests_until > timezone.now()


class Rule(models.Model):
    """What a project wants to hear, by which channels and when; the terms are read by `deciding.py`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alert_rules")
    name = models.CharField(max_length=80)
    is_enabled = models.BooleanField(default=True)
    channels = models.ManyToManyField(Channel, related_name="rules")
    recipients = models.JSONField(default=list, help_text="for mail: assignee, owner, or addresses")
    cases = models.JSONField(default=list, help_text="patterns of model/runner/precision/shape; empty: all")
    metrics = models.JSONField(default=list, help_text="empty: all")
    device_classes = models.JSONField(default=list, help_text="empty: all")
    minimum = models.FloatField(default=0.0, help_text="smallest relative change, 0.05 is 5 %")
    improvements = models.BooleanField(default=False)
    quiet_from = models.TimeField(null=True)
    quiet_to = models.TimeField(null=True)
    zone = models.CharField(max_length=60, default="UTC")
    digest_at = models.TimeField(null=True, help_text="once a day at this time; empty: at once")
    cap = models.PositiveSmallIntegerField(null=True, help_text="messages a day; the rest in one summary")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="alert_rule_name_once")]

    def __str__(self) -> str:
        return self.name


class Mute(models.Model):
    """Nobody hears of a series until the end date; the reason is shown."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="mutes")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="mutes")
    until = models.DateTimeField()
    reason = models.TextField()
    actor = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["project", "until"], name="mute_running")]

    def __str__(self) -> str:
        return f"{self.series} muted until {self.until:%Y-%m-%d}"


class Notification(models.Model):
    """One message to one recipient by one channel: saved before the call."""

    class Occasion(models.TextChoices):
        INCIDENT = "incident"
        WITHDRAWAL = "withdrawal"
        IMPROVEMENT = "improvement"
        DIGEST = "digest"
        SUMMARY = "summary", "summary of what the cap held back"
        DISABLED = "disabled", "a channel was disabled"
        REFUSED = "refused", "a channel refused a message"
        TEST = "test"

    incident = models.ForeignKey(Incident, null=True, on_delete=models.CASCADE, related_name="notifications")
    occasion = models.CharField(max_length=12, choices=Occasion.choices, default=Occasion.INCIDENT)
    opening = models.PositiveSmallIntegerField(default=1, help_text="of the incident, that it is about")
    channel = models.ForeignKey(Channel, null=True, on_delete=models.SET_NULL, related_name="notifications")
    recipient = models.CharField(max_length=254, blank=True)
    notice = models.TextField(blank=True, help_text="what is said when it is about no incident")
    state = models.CharField(max_length=10, default="queued")
    key = models.CharField(max_length=100, unique=True, help_text="the Message-ID: a second one is the same")
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "channel", "recipient", "occasion", "opening"], name="told_once"
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="notification_due")]

    def __str__(self) -> str:
        return f"{self.occasion} to {self.recipient or self.channel}: {self.state}"


class Sending(models.Model):
    """One try of a notification: saved before the call, ended after it."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="sendings")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, default="calling")  # calling, taken, refused, lost
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification", "number"], name="sending_once")]

    def __str__(self) -> str:
        return f"try {self.number} of notification {self.notification_id}: {self.state}"


class Telling(models.Model):
    """What was decided about telling one recipient of one incident, or of one build's improvements."""

    incident = models.ForeignKey(Incident, null=True, on_delete=models.CASCADE, related_name="tellings")
    build = models.ForeignKey(
        Build, null=True, on_delete=models.CASCADE, related_name="+", help_text="of an improvement"
    )
    occasion = models.CharField(max_length=12, choices=Notification.Occasion.choices)
    opening = models.PositiveSmallIntegerField(default=1, help_text="of the incident, that it is about")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="tellings")
    recipient = models.CharField(max_length=254, blank=True)
    rule = models.ForeignKey(Rule, null=True, on_delete=models.SET_NULL, related_name="+")
    decision = models.CharField(max_length=10)  # the words of `deciding.py`
    why = models.TextField(blank=True)
    due_at = models.DateTimeField(null=True)
    notification = models.ForeignKey(
        Notification, null=True, on_delete=models.SET_NULL, related_name="tellings"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "channel", "recipient", "occasion", "opening"], name="telling_once"
            ),
            models.UniqueConstraint(fields=["build", "channel", "recipient"], name="telling_improved_once"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="telling_due", condition=models.Q(notification__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.occasion} for {self.recipient or self.channel_id}: {self.decision}"


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
