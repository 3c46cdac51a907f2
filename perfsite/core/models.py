"""What every app may count."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """How often something happened; in the database, so that it only grows, whoever is restarted.

    `labels` is a JSON object, its names sorted.  Rows are never swept.
    """

    name = models.CharField(max_length=60)
    labels = models.CharField(max_length=200)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels}: {self.count}"
