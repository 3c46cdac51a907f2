"""How long a project keeps what, and when each stored file was last checked."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.results.models import Artifact
from perfsite.runs.models import Project

RAW_DAYS = 90


class Term(models.Model):
    """How many days a project keeps raw samples and files, and points; null keeps for ever.

    A project without a row keeps raw samples for 90 days and points for ever.  Incidents and verdicts
    are always kept.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="term")
    raw_days = models.PositiveIntegerField(null=True, default=RAW_DAYS)
    point_days = models.PositiveIntegerField(null=True, default=None)

    def __str__(self) -> str:
        return f"{self.project_id}: raw {self.raw_days} d, points {self.point_days} d"


class Check(models.Model):
    """The last look at a stored file; `problem` is empty when its digest was right."""

    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="check_made")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"artifact {self.artifact_id}: {self.problem or 'right'}"
