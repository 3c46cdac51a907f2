"""A process of its own on a database of its own: `python -m tests.regressions.bisection_racer fill`.

Run with `PERFSITE_DATA` naming a folder for the database, and `DJANGO_SETTINGS_MODULE=perfsite.settings`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import django
from django.conf import settings

django.setup()

from perfsite.regressions.bisection import bisections_step  # noqa: E402 - needs the apps
from perfsite.regressions.models import Bisection, Incident, IncidentEvent  # noqa: E402
from perfsite.runs.models import Job  # noqa: E402
from tests.factories import project_make  # noqa: E402
from tests.regressions import builders, searching  # noqa: E402


def fill() -> None:
    """Eight quiet builds and a push of four commits whose head is confirmed to be slower."""
    project = project_make(slug="race")
    builders.history_make(project, builders.QUIET)
    searching.push_make(project, first=9)
    searching.confirm()


def step() -> None:
    """Take the sweep as soon as the file `go` is there, as all the other racers do."""
    while not Path(settings.DATA / "go").exists():
        time.sleep(0.001)
    bisections_step()


def slow() -> None:
    """The comparison that was asked for comes home: its commit is slow too."""
    builders.compare_report(searching.asked().job, {"latency_p50": searching.SLOWER})


def show() -> None:
    """Print how many rows there are of what must not be doubled."""
    rows = {
        "searches": Bisection.objects.all(),
        "compared": Job.objects.filter(kind="compare"),
        "ended": IncidentEvent.objects.filter(code="culprit_found"),
        "culprits": Incident.objects.exclude(culprit=None),
    }
    sys.stdout.write(json.dumps({name: found.count() for name, found in rows.items()}))


if __name__ == "__main__":
    {"fill": fill, "step": step, "slow": slow, "show": show}[sys.argv[1]]()
