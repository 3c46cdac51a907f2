"""Tokens for machines and one-time login links for people."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Token(models.Model):
    """A machine's key.  Only its SHA-256 is kept: a random 256-bit key needs no slow hash."""

    class Purpose(models.TextChoices):
        WORKER = "worker", "claims jobs and sends reports"
        READ = "read", "reads"
        WRITE = "write", "reads, and orders runs"

    name = models.CharField(max_length=100, unique=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.purpose})"


class LoginLink(models.Model):
    """A link that logs one person in once, within minutes, from this machine only."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"login link of user {self.user_id}"
