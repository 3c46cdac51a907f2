"""The two sides of a comparison, and why their points may not be comparable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from perfsite.core.errors import NotFoundError
from perfsite.dashboards.charts.comparing import Comparison, Pair, Side, sides_compare
from perfsite.dashboards.charts.series import facts_changed
from perfsite.regressions.models import Verdict
from perfsite.results.models import Environment, Measurement, Series
from perfsite.results.selectors import series_find
from perfsite.runs.models import Build, Project

# what can be held against each other: its word in the address, the field of a series (none for builds)
WAYS: dict[str, str] = {
    "build": "",
    "branch": "branch",
    "device": "device_class",
    "precision": "precision",
    "runner": "runner",
}
_NAMES = ("device_class", "model", "runner", "precision", "shape", "suite", "metric")
_CHOICES = 60


@dataclass(frozen=True)
class Choice:
    """What can be picked for a side: its value in the address and its words."""

    value: str
    words: str


def choices_of(*, project: Project, way: str) -> list[Choice]:
    """What the pickers offer, the newest builds or every value of the field."""
    field = WAYS[way]
    if not field:
        return [Choice(row.short, f"{row.short} {row.subject}"[:90]) for row in _builds_measured(project)]
    values = Series.objects.filter(project=project).order_by(field).values_list(field, flat=True).distinct()
    return [Choice(value, value) for value in values]


def _builds_measured(project: Project) -> list[Build]:
    found = project.builds.filter(branch=project.branch, ordinal__isnull=False, runs__state="done")
    return list(found.order_by("-ordinal").distinct()[:_CHOICES])


def build_find(*, project: Project, sha: str) -> Build:
    """The build whose commit begins so.

    Raises:
        NotFoundError: no build does, or more than one.
    """
    found = project.builds.filter(sha__startswith=sha.lower()) if sha else project.builds.none()
    commits = list(found.order_by("sha").values_list("sha", flat=True).distinct()[:2])
    if len(commits) != 1:
        word = "more than one commit begins" if commits else "no build begins"
        raise NotFoundError(f"In {project.slug} {word} with {sha[:64]!r}. The Builds page lists them.")
    # it has a row for each branch it came by: what has a place has points, and the project's branch is meant
    placed = found.annotate(off_line=Q(ordinal__isnull=True), elsewhere=~Q(branch=project.branch))
    return placed.order_by("off_line", "elsewhere", "-id")[0]


def sides_read(*, project: Project, way: str, base: str, new: str, text: str = "") -> Comparison:
    """Both sides of a comparison, narrowed to the series that match the words of `text`.

    Raises:
        NotFoundError: a build is not known.
    """
    field = WAYS[way]
    names = tuple(name for name in _NAMES if name != field)
    found = [_side(project, way, value, text) for value in (base, new)]
    keyed = [{tuple(key[name] for name in names): side for key, side in rows} for rows in found]
    return sides_compare(keyed[0], keyed[1], names=names)


def _side(project: Project, way: str, value: str, text: str) -> list[tuple[dict[str, str], Side]]:
    series = series_find(project=project, text=text).order_by()
    if not WAYS[way]:
        build = build_find(project=project, sha=value)
        points = Measurement.objects.filter(build=build)
        return _rows(points.filter(series__in=series.values("pk")) if text else points)
    chosen = series.filter(**{WAYS[way]: value})
    if way != "branch":
        chosen = chosen.filter(branch=project.branch)
    newest = Measurement.objects.filter(series=OuterRef("pk")).order_by("-ordinal").values("pk")[:1]
    ids = [key for key in chosen.values_list(Subquery(newest), flat=True) if key is not None]
    return _rows(Measurement.objects.filter(pk__in=ids))


def _rows(points: QuerySet[Measurement]) -> list[tuple[dict[str, str], Side]]:
    fields = ("series_id", "build_id", "value", "ci_low", "ci_high", "n", "unstable")
    rows = points.annotate(environment=F("job__report__environment_id")).values_list(
        *fields, "environment", *(f"series__{name}" for name in _NAMES)
    )
    return [(dict(zip(_NAMES, row[8:], strict=True)), Side(*row[:8])) for row in rows]


def verdicts_told(*, pairs: Iterable[Pair]) -> dict[int, str]:
    """What the service itself decided about the new side's points: series id -> kind."""
    wanted = {(pair.new.series_id, pair.new.build_id) for pair in pairs}
    builds = {build for _, build in wanted}
    if (
        len(builds) != 1
    ):  # a verdict is about a build against the one before it, not about two branches or GPUs
        return {}
    rows = (
        Verdict.objects.filter(build_id__in=builds)
        .order_by("id")
        .values_list("series_id", "build_id", "kind")
    )
    return {series: kind for series, build, kind in rows if (series, build) in wanted}


@dataclass(frozen=True)
class Difference:
    """Two environments that points were measured in, field by field, and how many pairs that concerns.

    `between` are the keys of the two.
    """

    changed: Sequence[tuple[str, Any, Any]]
    count: int
    cases: str
    between: tuple[int, int]


def differences_read(*, pairs: Sequence[Pair]) -> list[Difference]:
    """Where the two sides were measured in different environments, the most frequent difference first."""
    counts: dict[tuple[int, int], list[Pair]] = {}
    for pair in pairs:
        old, new = pair.base.environment_id, pair.new.environment_id
        if old is not None and new is not None and old != new:
            counts.setdefault((old, new), []).append(pair)
    rows = Environment.objects.in_bulk({key for keys in counts for key in keys})
    found = [
        Difference(
            facts_changed(rows[old].facts, rows[new].facts),
            len(concerned),
            ", ".join(sorted({pair.case.get("device_class", "") for pair in concerned} - {""})),
            (old, new),
        )
        for (old, new), concerned in counts.items()
    ]
    return sorted(found, key=lambda row: -row.count)
