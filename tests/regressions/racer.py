"""A racer or the referee of the race of screening and telling: see `tests.regressions.racing`."""

from __future__ import annotations

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - needs the apps

from perfsite.alerts.models import Notification, OutboxMail  # noqa: E402
from perfsite.alerts.services import incidents_tell  # noqa: E402
from perfsite.regressions.models import Incident, Regression, Suspicion, Verdict  # noqa: E402
from perfsite.regressions.services import reports_screen  # noqa: E402
from perfsite.results.models import Report  # noqa: E402
from perfsite.runs.models import Job  # noqa: E402
from tests import factories  # noqa: E402
from tests.regressions import builders  # noqa: E402
from tests.regressions.racing import serve  # noqa: E402

BESIDES = {"latency_p90": 1.25, "throughput": 0.8, "parameter_count": 1.0}


def fill() -> None:
    """Eight quiet builds and a slow one with a larger model, unscreened."""
    call_command("migrate", verbosity=0)
    project = factories.project_make(slug="race")
    for ordinal, factor in enumerate([*builders.QUIET, 1.25], start=1):
        job = factories.job_make(builders.build_make(project, ordinal))
        count = 1000 + (factor > 1.1)
        values = {"latency_p50": factor, "latency_p90": 1.1 * factor, "throughput": 1 / factor}
        builders.values_report(job, {**values, "parameter_count": count})


def report() -> None:
    """The comparisons come home."""
    for job in Job.objects.filter(kind="compare", state="queued"):
        builders.compare_report(job, {"latency_p50": 1.25}, besides=BESIDES)


def screen() -> None:
    """Screen and tell."""
    reports_screen()
    incidents_tell()


def show() -> dict[str, int]:
    """How many rows there are of what must not be doubled."""
    rows = {
        "unscreened": Report.objects.filter(screened_at=None),
        "suspicions": Suspicion.objects.all(),
        "open": Suspicion.objects.filter(state="open"),
        "comparisons": Job.objects.filter(kind="compare"),
        "confirmations": Verdict.objects.filter(stage="confirmation"),
        "counted": Verdict.objects.filter(stage="screen", kind="regressed"),
        "regressions": Regression.objects.all(),
        "incidents": Incident.objects.all(),
        "notifications": Notification.objects.all(),
        "mails": OutboxMail.objects.all(),
    }
    return {name: found.count() for name, found in rows.items()}


if __name__ == "__main__":
    serve(screen, {"fill": fill, "report": report, "show": show})
