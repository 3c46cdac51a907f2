"""Tokens for machines and one-time login links for people."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from perfsite.access.rights import PURPOSES


class Token(models.Model):
    """A machine's key.  Only its SHA-256 is kept: a random 256-bit key needs no slow hash.

    It reaches one project, or all of them where `project` is null.
    """

    name = models.CharField(max_length=100)
    purpose = models.CharField(max_length=10, choices=list(PURPOSES.items()))
    # by name: this room lies below the one of projects
    project = models.ForeignKey("runs.Project", null=True, on_delete=models.CASCADE, related_name="tokens")
    sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # a revoked token's name may be used again
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(revoked_at__isnull=True), name="token_name_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.purpose})"

    @property
    def state(self) -> str:
        """`living`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timezone.now() else "living"


class LoginLink(models.Model):
    """A link that logs one person in once, within minutes, from this machine only."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"login link of user {self.user_id}"


class Membership(models.Model):
    """A person's role in one project, or in all of them where `project` is null."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    # by name: this room lies below the one of projects
    project = models.ForeignKey("runs.Project", null=True, on_delete=models.CASCADE, related_name="members")
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="member_once"),
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(project=None), name="member_of_all_once"
            ),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id}: {self.role} of {self.project_id or 'every project'}"


class AuditEntry(models.Model):
    """Who changed what, when and from where; appended, never changed.  Secrets are left out."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)
    address = models.CharField(max_length=50, blank=True)

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"
