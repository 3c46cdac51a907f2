"""Reports as a worker would send them, with numbers of the test's choice."""

from datetime import UTC, datetime

from benchmarks.cases import Case
from benchmarks.metrics import metric_get
from benchmarks.report import Environment, Measurement, Outcome, Report
from perfsite.runs.models import Job

FACTS = {"cpu_model": "A processor", "python": "3.11.7", "torch": "2.13.0"}


def measured_make(case: Case, metric: str, value: float, *, n: int = 1000) -> Measurement:
    """One measurement of `n` samples, in the metric's unit."""
    return Measurement(case=case, metric=metric, value=value, unit=metric_get(metric).unit, n=n)


def report_make(
    job: Job, values: dict[str, float], *, facts: dict | None = None, n: int = 1000, **more
) -> Report:
    """A report of `job` with these metrics, of `n` samples each, for each of its cases."""
    cases = job.spec["cases"]
    return Report(
        kind=job.kind,
        created_at=datetime(2026, 11, 21, tzinfo=UTC),
        generator="tests",
        model=job.model,
        source=job.spec["source"],
        precision=job.precision,
        environment=Environment(facts=FACTS if facts is None else facts),
        outcomes=tuple(Outcome(case=case, status="done") for case in cases),
        measurements=tuple(
            measured_make(case, name, value, n=n) for case in cases for name, value in values.items()
        ),
        **more,
    )
