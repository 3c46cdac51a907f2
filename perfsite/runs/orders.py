"""Measure, compare and soak jobs of a build, made from the case groups of its `perfsite.toml`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.cases import Case
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.models import Build, Job, Run
from perfsite.runs.services import PRIORITY_SOAK

_SOAK_SEGMENT_S = 900.0
_SOAK_START_S = 30.0


def job_row(*, run: Run, group: CaseGroup, config: Config, priority: int) -> Job:
    """The job that measures a group, not saved yet; a soak goes behind everything, whatever `priority` is."""
    limits = config.limits
    spec: dict[str, Any] = {
        "source": group.source.model_dump(),
        "cases": [case.model_dump() for case in group.cases],
        "limits": limits.model_dump(),
        "confirmation": config.confirmation,
    }
    if levels := config.levels(group.model, group.precision):
        spec["levels"] = levels
    if group.is_soak:
        lasts = max(limits.wall_clock_s, soak_wall_clock(group.cases[0]))
        spec["limits"] = limits.model_copy(update={"wall_clock_s": lasts}).model_dump()
        spec["yields"] = config.document.soak_yields
    return Job(
        run=run,
        kind=Job.Kind.SOAK if group.is_soak else Job.Kind.MEASURE,
        device_class=run.device_class,
        model=group.model,
        precision=group.precision,
        spec=spec,
        priority=PRIORITY_SOAK if group.is_soak else priority,
    )


def compare_row(
    *, run: Run, base: Build, group: CaseGroup, watch: Sequence[tuple[Case, str]], config: Config
) -> Job:
    """The job that compares a group's watched cases of the run's build with `base`, not saved yet.

    `watch` has the metric of each case that must be decided.
    """
    cases = list(dict.fromkeys(case for case, _ in watch))
    return Job(
        run=run,
        kind=Job.Kind.COMPARE,
        device_class=run.device_class,
        model=group.model,
        precision=group.precision,
        spec={
            "source": group.source.model_dump(),
            "limits": config.limits.model_dump(),
            "cases": [case.model_dump() for case in cases],
            "base": base.pk,
            "watch": [[cases.index(case), metric] for case, metric in watch],
            "suspected": [],
        },
    )


def soak_wall_clock(case: Case) -> float:
    """Seconds that a soak may take: its own, a fifth more, and what each of its processes needs to start."""
    processes = math.ceil(case.duration_s / case.option("segment_s", _SOAK_SEGMENT_S))
    return 1.2 * case.duration_s + 300 + _SOAK_START_S * (processes - 1)
