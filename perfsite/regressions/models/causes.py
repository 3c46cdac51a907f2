"""Where a change came from: the search for the commit, and the parts that add up to it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from perfsite.regressions.models.incidents import Regression
from perfsite.regressions.models.screening import Verdict
from perfsite.runs.models import Build, Job


class Bisection(models.Model):
    """The search for the guilty one among commits that were not measured, by one regression.

    `good` and `bad` close in on it: the newest commit shown to be good, the oldest shown to be bad.  `hint`
    is what an earlier search of the incident found: it is asked about first, and proves nothing here.
    """

    regression = models.OneToOneField(Regression, on_delete=models.CASCADE, related_name="bisection")
    good = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    bad = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    hint = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, default="running")  # running, found, range, stopped
    reason = models.TextField(blank=True, help_text="why it ended, for people")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"bisection {self.pk} ({self.state})"


class BisectionStep(models.Model):
    """One commit of a bisection, compared with the last good build; `verdict` is empty until it is known."""

    bisection = models.ForeignKey(Bisection, on_delete=models.CASCADE, related_name="steps")
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="bisection_steps")
    verdict = models.CharField(max_length=10, blank=True)
    relative = models.FloatField(null=True)
    relative_low = models.FloatField(null=True)
    relative_high = models.FloatField(null=True)
    sentence = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bisection", "build"], name="bisection_step_once"),
        ]

    def __str__(self) -> str:
        return f"step {self.pk} of bisection {self.bisection_id}"


class Attribution(models.Model):
    """Where a verdict's change came from: `parts` add up to `total`, both in relative change.

    Each part is `{"cause", "relative", "low", "high", "sentence"}`; the last one is what is unexplained.
    """

    verdict = models.OneToOneField(Verdict, on_delete=models.CASCADE, related_name="attribution")
    total = models.FloatField()
    parts = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"attribution of verdict {self.verdict_id}"
