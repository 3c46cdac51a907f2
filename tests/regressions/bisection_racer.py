"""A racer or the referee of the race of searches: see `tests.regressions.racing`."""

from __future__ import annotations

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - needs the apps

from perfsite.regressions.bisection import bisections_step  # noqa: E402
from perfsite.regressions.models import Bisection, Incident, IncidentEvent  # noqa: E402
from perfsite.runs.models import Job  # noqa: E402
from tests.factories import project_make  # noqa: E402
from tests.regressions import builders, searching  # noqa: E402
from tests.regressions.racing import serve  # noqa: E402


def fill() -> None:
    """Eight quiet builds and a push of four commits whose head is confirmed to be slower."""
    call_command("migrate", verbosity=0)
    project = project_make(slug="race")
    builders.history_make(project, builders.QUIET)
    searching.push_make(project, first=9)
    searching.confirm()


def slow() -> None:
    """The comparison that was asked for comes home: its commit is slow too."""
    builders.compare_report(searching.asked().job, {"latency_p50": searching.SLOWER})


def show() -> dict[str, int]:
    """How many rows there are of what must not be doubled."""
    rows = {
        "searches": Bisection.objects.all(),
        "compared": Job.objects.filter(kind="compare"),
        "ended": IncidentEvent.objects.filter(code="culprit_found"),
        "culprits": Incident.objects.exclude(culprit=None),
    }
    return {name: found.count() for name, found in rows.items()}


if __name__ == "__main__":
    serve(bisections_step, {"fill": fill, "slow": slow, "show": show})
