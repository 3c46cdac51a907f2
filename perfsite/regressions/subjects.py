"""Rows as the plain facts that sentences are made from."""

from __future__ import annotations

from perfsite.regressions.models import Verdict
from perfsite.regressions.wording import Change, Subject
from perfsite.results.models import Series
from perfsite.runs.models import Build


def subject_of(*, series: Series, build: Build) -> Subject:
    """The facts a sentence needs about a build and a series."""
    return Subject(
        sha=build.short,
        model=series.model,
        runner=series.runner,
        precision=series.precision,
        shape=series.shape,
        device_class=series.device_class,
        metric=series.metric,
    )


def change_of(verdict: Verdict) -> Change:
    """How much a verdict says that it moved."""
    return Change(
        verdict.before, verdict.after, verdict.relative, verdict.relative_low, verdict.relative_high
    )
