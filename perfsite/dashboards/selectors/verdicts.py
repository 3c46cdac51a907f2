"""What was decided: the newest verdict counts, the older ones are its history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Count, Max, QuerySet

from perfsite.regressions.models import Suspicion, Verdict
from perfsite.results.models import Measurement, Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.models import Project

MOVED = (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED)


def verdicts_newest(**where: object) -> QuerySet[Verdict]:
    """The newest verdict of every series and build that `where` (Django lookups) leaves."""
    newest = (
        Verdict.objects.filter(**where)
        .values("series_id", "build_id")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    return Verdict.objects.filter(id__in=newest)


def verdict_counts(*, build_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many series of each build got each verdict: build id -> kind -> count.

    The screen writes no verdict where it found nothing: those series count as `same`.  What it could
    not judge yet, for want of history, counts as nothing.  `suspected` awaits its comparison.
    """
    ids = list(build_ids)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    silent = _screened_counts(ids)
    rows = verdicts_newest(build_id__in=ids).values("build_id", "kind", "stage").annotate(count=Count("id"))
    for row in rows.order_by():
        build_id, kind = row["build_id"], row["kind"]
        if row["stage"] == "environment":  # the level moved, but this build's code is innocent
            kind = Verdict.Kind.SAME
        silent[build_id] -= row["count"]
        if kind != Verdict.Kind.UNKNOWN or row["stage"] != "screen":
            counts[build_id][kind] = counts[build_id].get(kind, 0) + row["count"]
    for build_id, count in _suspected_counts(ids).items():
        counts[build_id]["suspected"] = count
        silent[build_id] -= count
    for build_id, count in silent.items():
        if count > 0:
            counts[build_id]["same"] = counts[build_id].get("same", 0) + count
    return counts


def _screened_counts(build_ids: Sequence[int]) -> Counter[int]:
    """How many judged points of each build the screen has seen."""
    points = Measurement.objects.filter(
        metric_judged("series__metric"), build_id__in=build_ids, job__report__screened_at__isnull=False
    )
    return Counter(dict(points.values_list("build_id").annotate(count=Count("id")).order_by()))


def _suspected_counts(build_ids: Sequence[int]) -> dict[int, int]:
    """How many series of each build wait for a comparison."""
    doubts = Suspicion.objects.filter(build_id__in=build_ids, state="open")
    return dict(doubts.values_list("build_id").annotate(count=Count("id")).order_by())


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
