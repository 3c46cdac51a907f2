"""How many false verdicts a project's comparisons allow, in a sentence."""

from __future__ import annotations

from datetime import datetime

from perfsite.regressions.confirmation.alarms import alarms_allowed, alarms_spent, alarms_today
from perfsite.regressions.grading.figures import PERIOD
from perfsite.regressions.grading.words import expected_sentence
from perfsite.runs.models import Job, Project


def expected_read(*, project: Project, now: datetime) -> str:
    """What the comparisons of the last `PERIOD` and of today allow, and what a day may."""
    newest = Job.objects.filter(run__build__project=project, kind=Job.Kind.MEASURE).order_by("-id").first()
    found = alarms_spent(project_id=project.pk, since=now - PERIOD)
    return expected_sentence(
        asked=found.asked,
        expected=found.expected,
        days=PERIOD.days,
        today=alarms_today(project_id=project.pk, now=now).expected,
        allowed=alarms_allowed(newest.spec if newest else {}),
    )
