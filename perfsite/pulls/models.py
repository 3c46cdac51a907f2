"""Pull requests (GitLab calls them merge requests), their heads, and whose forks are trusted."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.runs.models import Build, Project


class PullRequest(models.Model):
    """A pull request as its forge last told of it; `updated_at` is the forge's own time of that."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pull_requests")
    forge = models.CharField(max_length=20)
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300, blank=True)
    url = models.CharField(max_length=500, blank=True)
    author = models.CharField(max_length=200, help_text="the forge's name of who opened it")
    author_id = models.CharField(max_length=40, blank=True, help_text="the forge's number of them")
    base_branch = models.CharField(max_length=200)
    from_fork = models.BooleanField(default=True)
    is_open = models.BooleanField(default=True)
    updated_at = models.DateTimeField(null=True)
    comment_id = models.BigIntegerField(null=True, help_text="the forge's number of our comment")
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "forge", "number"], name="pull_once"),
        ]
        indexes = [models.Index(fields=["project", "-opened_at"], name="pull_list")]

    def __str__(self) -> str:
        return f"pull request {self.number} of {self.project_id}"


class PullHead(models.Model):
    """One version of a pull request: what is approved, compared and told of.

    `base` is the merge base it is compared with, `build` the head itself; both are None until it is
    planned.  `limit` is the project's, read at the base.
    """

    pull = models.ForeignKey(PullRequest, on_delete=models.CASCADE, related_name="heads")
    sha = models.CharField(max_length=64)
    state = models.CharField(max_length=12, default="received")
    reason = models.TextField(blank=True, help_text="why it waits, was skipped or failed, for people")
    base = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="pull_heads")
    limit = models.FloatField(default=0.0)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True)
    plan_tries = models.PositiveSmallIntegerField(default=0)
    plan_due_at = models.DateTimeField(default=timezone.now)
    received_at = models.DateTimeField(default=timezone.now)
    told_sha256 = models.CharField(max_length=64, blank=True, help_text="of what the forge was told last")
    tell_tries = models.PositiveSmallIntegerField(default=0)
    tell_due_at = models.DateTimeField(default=timezone.now)
    tell_error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pull", "sha"], name="pull_head_once"),
        ]
        indexes = [models.Index(fields=["state", "plan_due_at"], name="pull_head_due")]

    def __str__(self) -> str:
        return f"{self.sha[:7]} of pull request {self.pull_id}"

    @property
    def short(self) -> str:
        """The commit as people see it: seven characters."""
        return self.sha[:7]


class TrustedAuthor(models.Model):
    """Whose forks run without another approval; who said so, and when."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="trusted_authors")
    forge = models.CharField(max_length=20)
    author = models.CharField(max_length=200)
    author_id = models.CharField(max_length=40)
    approved_by = models.CharField(max_length=150)
    approved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "forge", "author_id"], name="trusted_author_once"),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.forge}"
