"""Incidents for people: the sentence, the evidence, whom we told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from django.db.models import Q, QuerySet

from benchmarks.cases import Case
from perfsite.alerts.models import Notification, Telling
from perfsite.dashboards.charts.pairs import PairsPlot, pairs_plot
from perfsite.dashboards.formatting import change_text
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import change_rank
from perfsite.results.models import Series
from perfsite.runs.cases import case_key
from perfsite.runs.models import Build, Project


def incidents_list(*, projects: Sequence[Project]) -> QuerySet[Incident]:
    """Incidents, the newest first."""
    rows = Incident.objects.filter(project__in=projects, merged_into=None)
    return rows.select_related("project", "build", "range_start").order_by("-opened_at", "-id")


class Worst(NamedTuple):
    """How many regressions an incident has, and the one a person feels first."""

    total: int
    regression: Regression | None


def incidents_worst(incidents: Sequence[Incident]) -> dict[int, Worst]:
    """The worst regression of each incident, by the incident's id: of thousands four columns are read."""
    best: dict[int, tuple[tuple[int, float], int]] = {}
    counts: Counter[int] = Counter()
    rows = Regression.objects.filter(incident__in=incidents).values_list(
        "incident_id", "pk", "series__metric", "verdict__relative"
    )
    for incident_id, pk, metric, relative in rows:
        found = (change_rank(metric, relative), pk)
        best[incident_id] = min(found, best.get(incident_id, found))
        counts[incident_id] += 1
    chosen = Regression.objects.select_related("series", "verdict").in_bulk([pk for _, pk in best.values()])
    return {
        row.pk: Worst(counts[row.pk], chosen[best[row.pk][1]] if row.pk in best else None)
        for row in incidents
    }


def incidents_named(*, projects: Sequence[Project], ids: Collection[int]) -> list[Incident]:
    """Those of these incidents that belong to these projects."""
    return list(Incident.objects.filter(project__in=projects, pk__in=ids, merged_into=None).order_by("id"))


def series_of(*, incident: Incident) -> list[Series]:
    """The series of an incident's regressions and breaches."""
    own = Q(regressions__incident=incident) | Q(standings__incident=incident)
    return list(Series.objects.filter(own).distinct().order_by("model", "metric", "id"))


def tellings_of(*, incident: Incident) -> list[Telling]:
    """What was decided about telling of an incident and has not become a message."""
    rows = incident.tellings.filter(notification=None).select_related("channel", "rule")
    return list(rows.order_by("id"))


def mergeable_with(*, incident: Incident, most: int = 50) -> list[Incident]:
    """The other incidents of the project that it could be merged into, the newest first."""
    rows = Incident.objects.filter(project=incident.project, merged_into=None).exclude(pk=incident.pk)
    rows = rows.exclude(kind=Incident.Kind.SERVICE).select_related("build")
    return list(rows.order_by("-opened_at", "-id")[:most])


def regressions_of(*, incident: Incident) -> list[Regression]:
    """The incident's regressions with series, verdict and comparison, the worst first."""
    found = incident.regressions.select_related("series", "build", "verdict__base", "verdict__job__report")
    return sorted(found, key=lambda row: change_rank(row.series.metric, row.verdict.relative))


@dataclass(frozen=True)
class ModelGroup:
    """The regressions of one model, the worst first."""

    model: str
    regressions: Sequence[Regression]


def regressions_by_model(*, regressions: Sequence[Regression]) -> list[ModelGroup]:
    """The regressions grouped by model, the group with the worst one first."""
    place = {regression.series.model: index for index, regression in reversed(list(enumerate(regressions)))}
    ordered = sorted(regressions, key=lambda regression: place[regression.series.model])
    return [
        ModelGroup(model, list(rows)) for model, rows in groupby(ordered, key=lambda row: row.series.model)
    ]


@dataclass(frozen=True)
class Evidence:
    """The comparison behind a verdict, for people."""

    sentence: str
    change: str
    plot: PairsPlot | None
    pairs: int
    evalue: float | None


def verdict_evidence(*, regression: Regression) -> Evidence | None:
    """The interleaved pairs that settled a verdict; None when the screen alone decided."""
    verdict, series = regression.verdict, regression.series
    report = getattr(verdict.job, "report", None)
    if report is None:
        return None
    for row in report.comparisons:
        if (case_key(Case.model_validate(row["case"])), row["metric"]) == (case_key(series), series.metric):
            plot = pairs_plot(row["a"], row["b"], metric=series.metric)
            pairs = min(len(row["a"]), len(row["b"]))
            change = change_text(row["relative"], row["relative_low"], row["relative_high"])
            return Evidence(row["sentence"], change, plot, pairs, row.get("evidence"))
    return None


def builds_between(*, incident: Incident, most: int = 20) -> list[Build]:
    """The builds after the last good one up to the accused one, the newest first."""
    start, end = incident.range_start.ordinal, incident.build.ordinal
    if start is None or end is None:
        return [incident.build]
    inside = Build.objects.filter(
        project=incident.project, branch=incident.build.branch, ordinal__gt=start, ordinal__lte=end
    )
    return list(inside.order_by("-ordinal")[:most])


def notifications_of(*, incident: Incident) -> list[Notification]:
    """Whom we told about an incident, in order."""
    return list(incident.notifications.select_related("channel").order_by("created_at"))
