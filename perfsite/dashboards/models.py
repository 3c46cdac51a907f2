"""What people write on the pages."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.results.models import Series
from perfsite.runs.models import Build


class Note(models.Model):
    """What a person has to say about a point of a series; a flag on the chart."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="notes")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    author = models.CharField(max_length=150)
    text = models.CharField(max_length=1000)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["series", "build"], name="note_by_point")]

    def __str__(self) -> str:
        return self.text
