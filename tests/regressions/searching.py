"""A push whose head alone was measured, and the search among the commits behind it."""

from __future__ import annotations

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.models import BisectionStep
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Build, Job, Project
from perfsite.runs.rules import BEHIND
from tests.factories import job_make
from tests.regressions.builders import build_make, compare_report, values_report

SLOWER = 1.2
AUTHORS = ("Bea", "Cem", "Dan", "Eva")


def push_make(project: Project, *, first: int, values: dict[str, float] | None = None) -> list[Build]:
    """A push of four commits from the ordinal `first` on, each by another author; the head is measured."""
    builds = []
    for place, author in enumerate(AUTHORS, start=first):
        is_head = author == AUTHORS[-1]
        facts = {"author_name": author, "author_email": f"{author.lower()}@example.org", "is_head": is_head}
        state = {} if is_head else {"state": "skipped", "reason": BEHIND}
        builds.append(build_make(project, place, **facts, **state))
    values_report(job_make(builds[-1]), values or {"latency_p50": SLOWER})
    return builds


def confirm() -> None:
    """Screen, and let the comparison that it orders confirm the slowdown."""
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {"latency_p50": SLOWER})
    reports_screen()


def asked() -> BisectionStep:
    """The step that waits for its comparison."""
    return BisectionStep.objects.select_related("build", "job").get(verdict="", job__isnull=False)


def answer(ratio: float) -> None:
    """The comparison that was asked for comes home, and the search goes on."""
    compare_report(asked().job, {"latency_p50": ratio})
    bisections_step()
