"""What the page of a series shows beside its points: steps of the environment, notes, the picked point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfsite.core.errors import NotFoundError
from perfsite.dashboards.charts.histogram import Histogram, histogram_pair
from perfsite.dashboards.charts.series import Delta, deltas_of, facts_changed, facts_label, scale_for
from perfsite.dashboards.models import Note
from perfsite.regressions.bisection.due import has_gap
from perfsite.regressions.bisection.opening import regression_at
from perfsite.regressions.models import Bisection, Regression, Verdict
from perfsite.regressions.spreads import spread_remark
from perfsite.regressions.wording import spread_sentence
from perfsite.results.metrics import metric_is_judged
from perfsite.results.models import Environment, Measurement, Series
from perfsite.results.rows import Extent, PointRow
from perfsite.results.samples import samples_read
from perfsite.results.selectors import environment_steps, series_points
from perfsite.runs.models import Build

PointLine = tuple[PointRow, Delta | None, Verdict | None]


def series_siblings(*, series: Series) -> list[tuple[Series, str]]:
    """The metrics of the same case, for stepping sideways, with the suite where the title needs it.

    What is judged comes first.
    """
    same = {name: getattr(series, name) for name in ("model", "runner", "precision", "shape")}
    found = Series.objects.filter(
        project=series.project, branch=series.branch, device_class=series.device_class, **same
    )
    rows = sorted(found, key=lambda row: (not metric_is_judged(row.metric), row.suite, row.metric))
    times = Counter(row.metric for row in rows)
    return [(row, row.suite if times[row.metric] > 1 else "") for row in rows]


def series_spread(*, series: Series) -> tuple[Build, str] | None:
    """About where the scatter of the present level grew, and the sentence; None where it did not."""
    found = spread_remark(series=series)
    if found is None:
        return None
    words = spread_sentence(found.build.short, before=found.spread.before, after=found.spread.after)
    return found.build, words


def series_alike(*, series: Series, most: int = 40) -> list[tuple[Series, str]]:
    """Series of the same metric and suite that are worth laying over this one, with what differs."""
    names = ("device_class", "runner", "precision", "shape", "model")
    found = Series.objects.filter(
        project=series.project, branch=series.branch, metric=series.metric, suite=series.suite
    ).exclude(pk=series.pk)
    rows = []
    for row in found.filter(model=series.model).order_by("device_class", "runner", "precision", "shape"):
        differs = [getattr(row, name) for name in names if getattr(row, name) != getattr(series, name)]
        rows.append((len(differs), row, " · ".join(differs)))
    rows.sort(key=lambda entry: entry[0])
    return [(row, words) for _, row, words in rows[:most]]


def environment_rows(*, series: Series, extent: Extent | None = None) -> list[dict[str, Any]]:
    """Where the environment changed: the place, the commit's moment, what changed."""
    steps = environment_steps(series=series, extent=extent)
    builds = Build.objects.filter(project=series.project_id, branch=series.branch)
    places = [ordinal for ordinal, _, _ in steps]
    moments = dict(builds.filter(ordinal__in=places).values_list("ordinal", "committed_at"))
    rows = []
    for ordinal, before, after in steps:
        changed = facts_changed(before.facts, after.facts)
        label = facts_label(changed)
        rows.append({"ordinal": ordinal, "at": moments.get(ordinal), "label": label, "changed": changed})
    return rows


def build_moments(*, series: Series, ordinals: Sequence[int]) -> dict[int, str]:
    """When the commits at these places of the series' branch were made, ISO 8601."""
    builds = Build.objects.filter(project=series.project_id, branch=series.branch, ordinal__in=ordinals)
    found = builds.exclude(committed_at=None).values_list("ordinal", "committed_at")
    return {ordinal: moment.isoformat() for ordinal, moment in found if moment and ordinal is not None}


def environment_newest(*, series: Series) -> Environment | None:
    """The environment of the newest point."""
    point = (
        Measurement.objects.filter(series=series, job__report__isnull=False)
        .select_related("job__report__environment")
        .order_by("-ordinal")
        .first()
    )
    return point.job.report.environment if point else None


def series_notes(*, series: Series) -> list[Note]:
    """What people wrote about points of the series, in branch order."""
    return list(Note.objects.filter(series=series).select_related("build").order_by("build__ordinal", "id"))


def note_get(*, series: Series, pk: int) -> Note:
    """One note of the series with its build.

    Raises:
        NotFoundError: it has none of that number.
    """
    found = Note.objects.filter(series=series, pk=pk).select_related("build").first()
    if found is None:
        raise NotFoundError(f"There is no note {pk} here. The page of its series lists those that are.")
    return found


def point_lines(*, points: Sequence[PointRow], changes: Sequence[Verdict]) -> list[PointLine]:
    """The points, the newest first, with their change and verdict."""
    moved = {change.build_id: change for change in changes}
    rows = zip(points, deltas_of(points), strict=True)
    return [(point, delta, moved.get(point.build_id)) for point, delta in rows][::-1]


@dataclass(frozen=True)
class Picked:
    """A point that a reader picked, with the job that measured it, the one before and the samples of both."""

    point: PointRow
    job_id: int
    before: PointRow | None
    delta: Delta | None
    histogram: Histogram | None


def point_picked(*, series: Series, build_id: int) -> Picked | None:
    """The point of a build; None when it has none here."""
    found = (
        Measurement.objects.filter(series=series, build_id=build_id).values_list("ordinal", "job_id").first()
    )
    if found is None:
        return None
    place, job_id = found
    earlier = Measurement.objects.filter(series=series, ordinal__lt=place).order_by("-ordinal")
    first = earlier.values_list("ordinal", flat=True).first()
    points = series_points(series=series, first=place if first is None else first, last=place)
    point, before = points[-1], points[0] if len(points) > 1 else None
    picture = None
    if before is not None:
        old, new = (samples_read(series=series, build_id=row.build_id) for row in (before, point))
        picture = histogram_pair(old, new, scale=scale_for(series.metric, new))
    return Picked(point, job_id, before, deltas_of(points)[-1], picture)


@dataclass(frozen=True)
class Between:
    """The commits between a point and the one before it, and the regression at the point with its search."""

    commits: int
    regression: Regression | None
    search: Bisection | None

    @property
    def is_searchable(self) -> bool:
        """Whether a person may begin the search for the guilty commit."""
        return self.regression is not None and self.search is None and has_gap(self.regression)


def between_of(*, series: Series, picked: Picked) -> Between:
    """What lies before a picked point."""
    regression = regression_at(series=series, build_id=picked.point.build_id)
    commits = picked.point.ordinal - picked.before.ordinal - 1 if picked.before else 0
    return Between(commits, regression, getattr(regression, "bisection", None))
