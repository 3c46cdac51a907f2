"""What is watched: projects, their builds, and files delivered as builds."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone


def _secret() -> str:
    return secrets.token_hex(32)


class Project(models.Model):
    """A watched repository with its rules."""

    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    repo = models.CharField(max_length=500, help_text="a URL or a path git can fetch from")
    branch = models.CharField(max_length=200, default="main")
    # the HMAC needs the secret itself: a hash cannot check a signature
    webhook_secret = models.CharField(max_length=200, default=_secret)
    is_public = models.BooleanField(default=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    owner_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.slug

    @property
    def forge_name(self) -> str:
        """`owner/name` as the forge calls the repository: the last two parts of its URL or path."""
        parts = self.repo.rstrip("/").removesuffix(".git").replace(":", "/").split("/")
        return "/".join(parts[-2:])


class Build(models.Model):
    """One version under test: a commit on a branch; knows its parents and its place on the branch.

    `ordinal` is the number of commits on the first-parent line up to and with this one; a build
    that is not on that line (a merged side branch, a commit a force-push removed) has none.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="builds")
    branch = models.CharField(max_length=200)
    sha = models.CharField(max_length=64)
    parents = models.JSONField(default=list)
    ordinal = models.PositiveIntegerField(null=True)
    subject = models.CharField(max_length=300, blank=True)
    author_name = models.CharField(max_length=200, blank=True)
    author_email = models.CharField(max_length=254, blank=True)
    committed_at = models.DateTimeField(null=True)
    is_head = models.BooleanField(default=False, help_text="the newest commit of the push that brought it")
    state = models.CharField(max_length=12, default="received")
    reason = models.TextField(blank=True, help_text="why it was skipped or failed, for people")
    plan_tries = models.PositiveSmallIntegerField(default=0)
    plan_due_at = models.DateTimeField(default=timezone.now)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "branch", "sha"], name="build_once_per_branch"),
            models.UniqueConstraint(fields=["project", "branch", "ordinal"], name="build_one_per_place"),
        ]
        indexes = [
            models.Index(fields=["state", "received_at"], name="build_by_state"),
            models.Index(fields=["project", "sha"], name="build_by_sha"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id}:{self.sha[:7]}"

    @property
    def short(self) -> str:
        """The commit as people see it: seven characters."""
        return self.sha[:7]


class BuildFile(models.Model):
    """What makes a build one of a delivered file: where a worker fetches it; its digest is the build's `sha`.

    `rules` is what the delivery asked for: `measure`, `devices`, `limits`, `level`.
    """

    build = models.OneToOneField(Build, primary_key=True, on_delete=models.CASCADE, related_name="file")
    url = models.CharField(max_length=2000)
    size = models.PositiveBigIntegerField(null=True, help_text="bytes, when the sender said")
    format = models.CharField(max_length=10)  # onnx, engine
    model = models.CharField(max_length=100)
    rules = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.format} file of build {self.build_id}"
