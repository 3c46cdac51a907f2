"""Histories whose reports tell of machine and toolchain: canary, clocks and facts of the test's choice."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.report import CanaryReading, Environment, Reading
from benchmarks.report import Report as Body
from perfsite.regressions.causes import causes_find
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Report
from perfsite.results.services import report_store
from perfsite.runs.models import Build, Job, Project
from tests import factories
from tests.regressions.builders import QUIET, START, build_make, compare_report, job_attempt
from tests.regressions.histories import builds_repeat
from tests.reports import measured_make

CPU_FACTS = {"device": "cpu", "cpu_model": "A processor", "torch_version": "2.13.0"}


def witnessed_report(
    job: Job,
    values: dict[str, float],
    *,
    facts: dict | None = None,
    canary: float | None = 0.01,
    clock: float | None = None,
) -> Report:
    """A measure report; `canary` is its seconds before and after, `clock` the SM clock in Hz.

    `values` are metrics by name; those that begin with `accuracy` belong to the cases of that suite.
    """
    cases = [Case.model_validate(fields) for fields in job.spec["cases"]]
    body = Body(
        kind="measure",
        created_at=START,
        generator="tests",
        model=job.model,
        source=job.spec["source"],
        precision=job.precision,
        environment=Environment(facts=CPU_FACTS if facts is None else facts),
        measurements=tuple(
            measured_make(case, metric, value)
            for case in cases
            for metric, value in values.items()
            if metric.startswith("accuracy") == (case.suite == "accuracy")
        ),
        canary=tuple(
            CanaryReading(when=when, clock="gpu" if clock else "cpu", seconds=canary * part, n=15)
            for when, part in (("before", 0.999), ("after", 1.001))
            if canary
        ),
        readings=tuple(
            Reading(case=case, at_s=float(at), values={"sm_clock": clock * (1 + 0.0005 * (-1) ** at)})
            for case in cases
            for at in range(8)
            if clock
        ),
    )
    assert report_store(token=job_attempt(job).token, body=body, raw=body.model_dump_json().encode())
    return Report.objects.get(job=job)


def build_measured(project: Project, ordinal: int, value: float, **more: object) -> Build:
    """A build with one reported latency."""
    build = build_make(project, ordinal)
    witnessed_report(factories.job_make(build), {"latency_p50": value}, **more)
    return build


def level_measured(project: Project, **more: object) -> list[Build]:
    """Eight quiet builds at about one second, the ordinals 1 to 8."""
    first = build_measured(project, 1, QUIET[0], **more)
    return [first, *builds_repeat(first, [value / QUIET[0] for value in QUIET[1:]])]


def settle(ratio: float = 1.0) -> None:
    """Screen, answer every comparison with this ratio of suspect to base, and look for causes."""
    reports_screen()
    for job in Job.objects.filter(kind="compare", state="queued").order_by("id"):
        compare_report(job, {metric: ratio for _, metric in job.spec["watch"]})
    reports_screen()
    while causes_find():
        pass
