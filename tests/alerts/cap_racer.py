"""A racer or the referee of the race about a day's cap: see `tests.regressions.racing`."""

from __future__ import annotations

import os
import random

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - needs the apps
from django.utils import timezone  # noqa: E402

from perfsite.alerts.defaults import mail_channel  # noqa: E402
from perfsite.alerts.models import Rule, Telling  # noqa: E402
from perfsite.alerts.telling import incident_decide  # noqa: E402
from perfsite.regressions.models import Incident  # noqa: E402
from perfsite.runs.models import Project  # noqa: E402
from tests.alerts.worlds import incident_make  # noqa: E402
from tests.factories import build_make, project_make  # noqa: E402
from tests.regressions.racing import serve  # noqa: E402

CAP, INCIDENTS = 3, 8


def decide() -> None:
    """Decide about every incident, in an order of one's own: two are at different ones at once."""
    rows = list(Incident.objects.filter(tellings=None).values_list("pk", flat=True))
    random.Random(os.getpid()).shuffle(rows)
    for pk in rows:
        incident_decide(incident_id=pk, now=timezone.now())


def prepare() -> int:
    """A project whose rule allows `CAP` messages a day, and more incidents than that."""
    project = project_make(slug=f"p{Project.objects.count()}", owner_email="owner@example.org")
    rule = Rule.objects.create(project=project, name="capped", recipients=["owner"], cap=CAP)
    rule.channels.add(mail_channel(project=project))
    builds = [build_make(project, ordinal) for ordinal in range(1, 2 * INCIDENTS + 1)]
    for base, build in zip(builds[::2], builds[1::2], strict=True):
        incident_make(build, base)
    return project.pk


def counts() -> list[dict[str, int]]:
    """Of each project how many decisions there are by their word."""
    found = []
    for project in Project.objects.order_by("pk"):
        words = list(Telling.objects.filter(incident__project=project).values_list("decision", flat=True))
        found.append({word: words.count(word) for word in sorted(set(words))})
    return found


if __name__ == "__main__":
    serve(
        decide,
        {"migrate": lambda: call_command("migrate", verbosity=0), "prepare": prepare, "counts": counts},
    )
