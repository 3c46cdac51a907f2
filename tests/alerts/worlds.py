"""Incidents made of rows alone, for what is about telling and not about finding."""

from __future__ import annotations

from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.results.models import Series
from perfsite.runs.models import Build


def series_make(build: Build, *, model: str = "cnn", metric: str = "latency_p50") -> Series:
    """The series of a model in a build's project."""
    return Series.objects.get_or_create(
        key=f"{build.project_id}-{model}-{metric}", project_id=build.project_id, branch=build.branch,
        model=model, runner="torch", precision="fp32", suite="latency", shape="b1", device_class="cpu",
        metric=metric,
    )[0]  # fmt: skip


def incident_make(build: Build, base: Build, *, model: str = "cnn", relative: float = 0.2) -> Incident:
    """An incident of one confirmed regression."""
    series = series_make(build, model=model)
    verdict = Verdict.objects.create(
        series=series, build=build, base=base, kind="regressed", stage="confirmation", before=1.0,
        after=1 + relative, relative=relative, relative_low=relative - 0.01, relative_high=relative + 0.01,
        evidence={"pairs": 8}, sentence="slower", detector="tests", data_sha256="0" * 64,
    )  # fmt: skip
    incident = Incident.objects.create(project_id=build.project_id, build=build, range_start=base)
    Regression.objects.create(incident=incident, series=series, build=build, verdict=verdict)
    return incident
