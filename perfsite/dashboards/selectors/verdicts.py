"""What was decided: the newest verdict counts, the older ones are its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from perfsite.regressions.models import Verdict
from perfsite.regressions.verdicts import verdict_counts, verdicts_newest
from perfsite.results.models import Series
from perfsite.runs.models import Project

__all__ = ["series_changes", "series_marks", "verdict_counts", "verdicts_moved", "verdicts_newest"]

MOVED = (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED)


def verdicts_moved(*, project: Project, build_ids: Iterable[int]) -> QuerySet[Verdict]:
    """The verdicts about these builds that say something moved, the newest build first."""
    found = verdicts_newest(series__project=project, build_id__in=list(build_ids))
    related = ("series", "build", "regression__incident")
    return found.filter(kind__in=MOVED).select_related(*related).order_by("-build__ordinal", "-id")


def series_changes(*, series: Series) -> list[Verdict]:
    """The change points of one series in branch order, with their builds and incidents."""
    found = verdicts_newest(series=series).filter(kind__in=MOVED, build__ordinal__isnull=False)
    return list(
        found.select_related("build", "base", "regression__incident__project").order_by("build__ordinal")
    )


def series_marks(*, series_ids: Iterable[int]) -> Mapping[int, dict[int, str]]:
    """Where each series moved: series id -> ordinal -> kind."""
    marks: dict[int, dict[int, str]] = defaultdict(dict)
    rows = (
        verdicts_newest(series_id__in=list(series_ids))
        .filter(kind__in=MOVED)
        .values_list("series_id", "build__ordinal", "kind")
    )
    for series_id, ordinal, kind in rows:
        if ordinal is not None:
            marks[series_id][ordinal] = kind
    return marks
