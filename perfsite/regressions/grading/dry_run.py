"""A dry run: what another rule would have made of a project's history.  It writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q

from perfsite.regressions.grading.budget import PairCosts, pair_costs
from perfsite.regressions.grading.doubt import Doubt, doubts_differ
from perfsite.regressions.grading.replay import History, Policy, Record, histories_replay
from perfsite.regressions.grading.rules import rule_checked, rule_now
from perfsite.regressions.models import Incident, Regression, Suspicion, Verdict
from perfsite.results.metrics import metric_row
from perfsite.results.models import Measurement, Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.models import Build, Project

NEWEST = 500  # builds of a series that are replayed
PAGE_POINTS = 6_000  # what a page may take: 4 s of a busy core
EVERY_POINT = 100_000_000
_CHUNK = 50  # series read at a time


@dataclass
class Side:
    """One rule on the history: how many suspicions came to what, the comparisons, their device minutes.

    `minutes` is None where no job of the project tells what a pair takes.
    """

    counts: dict[str, int] = field(default_factory=dict)
    comparisons: int = 0
    minutes: float | None = 0.0

    @property
    def suspicions(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Told:
    """A suspicion of a series that only one of the rules has."""

    series: Series
    doubt: Doubt


@dataclass
class DryRun:
    """The difference between the rule that holds and one that is tried.

    Of `series_all` series `series` were replayed, those with a record first, with `points` points.
    `missed` incidents the rule that holds finds again and the tried one does not; `unsure` ones it
    suspects, but the pairs that were run do not decide; `unfound` ones even the rule that holds does
    not find again in this replay, so nothing is told of them.
    """

    now: Mapping[str, Any]
    tried: Mapping[str, Any]
    series: int = 0
    series_all: int = 0
    points: int = 0
    assumed: int = 0
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    gained: list[Told] = field(default_factory=list)
    lost: list[Told] = field(default_factory=list)
    missed: list[Incident] = field(default_factory=list)
    unsure: list[Incident] = field(default_factory=list)
    unfound: int = 0


def dry_run(*, project: Project, parameters: Mapping[str, Any], points: int = EVERY_POINT) -> DryRun:
    """Replay the project's history under its rule and under `parameters`; at most about `points` points.

    Raises:
        PerfsiteError: the parameters make no rule.
    """
    found = DryRun(now=rule_now(project_id=project.pk), tried=rule_checked(parameters))
    rules = Policy.of(found.now), Policy.of(found.tried)
    pairs_of = (_Pairs(), _Pairs())
    hits = (_Hits(), _Hits())
    wanted = _series_ranked(project)
    found.series_all = len(wanted)
    for series, history in _histories(project, wanted):
        if found.points >= points:
            break
        found.series += 1
        found.points += len(history.values)
        doubts = histories_replay(history, rules)
        for at, side in enumerate((found.before, found.after)):
            _side_count(side, doubts[at])
            pairs_of[at].add(series, doubts[at])
            hits[at].add(series, doubts[at])
        found.assumed += sum(doubt.assumed for doubt in doubts[1])
        gained, lost = doubts_differ(*doubts)
        found.gained += [Told(series, doubt) for doubt in gained]
        found.lost += [Told(series, doubt) for doubt in lost]
    costs = pair_costs(project=project)
    for side, pairs, rule in zip((found.before, found.after), pairs_of, rules, strict=True):
        side.comparisons, side.minutes = pairs.cost(costs, most=rule.max_pairs)
    _incidents_sort(found, project, *hits)
    return found


def _side_count(side: Side, doubts: Sequence[Doubt]) -> None:
    for doubt in doubts:
        side.counts[doubt.outcome] = side.counts.get(doubt.outcome, 0) + 1


class _Pairs:
    """The comparisons of one rule: one job answers all suspicions of a build, model, precision, class."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[Any, ...], list[int | None]] = {}

    def add(self, series: Series, doubts: Iterable[Doubt]) -> None:
        for doubt in doubts:
            if doubt.pairs != 0:
                key = (series.device_class, series.model, series.precision, series.branch, doubt.ordinal)
                self.jobs.setdefault(key, []).append(doubt.pairs)

    def cost(self, costs: PairCosts, *, most: int) -> tuple[int, float | None]:
        """How many jobs, and their device minutes; pairs that are not known are as many as usual."""
        minutes = 0.0
        for (device_class, model, precision, *_), numbers in self.jobs.items():
            seconds = costs.seconds_of(device_class=device_class, model=model, precision=precision)
            if seconds is None:
                return len(self.jobs), None
            usual = min(costs.pairs, most)
            minutes += seconds / 60.0 * max(usual if number is None else number for number in numbers)
        return len(self.jobs), minutes


class _Hits:
    """Which builds of which series one rule accuses of something worse."""

    def __init__(self) -> None:
        self.found: set[tuple[int, int]] = set()
        self.open: set[tuple[int, int]] = set()

    def add(self, series: Series, doubts: Iterable[Doubt]) -> None:
        for doubt in doubts:
            if doubt.is_worse and doubt.outcome != "refuted":
                place = self.found if doubt.outcome == "confirmed" else self.open
                place.update((series.pk, ordinal) for ordinal in doubt.ordinals)


def _incidents_sort(found: DryRun, project: Project, before: _Hits, after: _Hits) -> None:
    rows = Regression.objects.filter(incident__project=project, build__ordinal__isnull=False)
    places: dict[int, set[tuple[int, int]]] = {}
    for incident_id, series_id, ordinal in rows.values_list("incident_id", "series_id", "build__ordinal"):
        places.setdefault(incident_id, set()).add((series_id, ordinal or 0))
    known = Incident.objects.select_related("project", "build").in_bulk(places)
    for incident_id in sorted(places, reverse=True):
        mine = places[incident_id]
        if not mine & before.found:
            found.unfound += 1
        elif not mine & after.found:
            (found.unsure if mine & after.open else found.missed).append(known[incident_id])


def _series_ranked(project: Project) -> list[int]:
    """The judged series of the project's branch, those with a record first, then the newest."""
    mine = Series.objects.filter(metric_judged(), project=project, branch=project.branch)
    record = Exists(Suspicion.objects.filter(series=OuterRef("pk"))) | Exists(
        Regression.objects.filter(series=OuterRef("pk"))
    )
    rows = mine.annotate(record=record).order_by("-record", "-id")
    return list(rows.values_list("pk", flat=True))


def _histories(project: Project, wanted: Sequence[int]) -> Iterator[tuple[Series, History]]:
    """The newest points of each series with the answers on record; a series without points is left out."""
    places = Build.objects.filter(project=project, branch=project.branch, ordinal__isnull=False)
    newest = places.order_by("-ordinal").values_list("ordinal", flat=True).first() or 0
    for start in range(0, len(wanted), _CHUNK):
        ids = wanted[start : start + _CHUNK]
        known = Series.objects.in_bulk(ids)
        points = _points_read(ids, newest - NEWEST)
        records = _records_read(ids)
        for key in (key for key in ids if key in known):
            metric = metric_row(known[key].metric)
            rows = [row for row in points.get(key, []) if metric and row[2] >= metric.samples]
            if metric and rows:
                ordinals, values, _, unstable = (list(column) for column in zip(*rows, strict=True))
                case, told = known[key].case_label, records.get(key, {})
                yield known[key], History(case, metric, ordinals, values, unstable, told)


def _points_read(ids: Sequence[int], behind: int) -> dict[int, list[tuple[int, float, int, bool]]]:
    rows = Measurement.objects.filter(series_id__in=ids, ordinal__gt=behind).order_by("series_id", "ordinal")
    found: dict[int, list[tuple[int, float, int, bool]]] = {}
    columns = rows.values_list("series_id", "ordinal", "value", "n", "unstable")
    for key, ordinal, value, n, unstable in columns:
        found.setdefault(key, []).append((ordinal, value, n, unstable))
    return found


def _records_read(ids: Sequence[int]) -> dict[int, dict[int, Record]]:
    """What comparisons said, by series and ordinal; the newest verdict of a build counts."""
    rows = Verdict.objects.filter(
        Q(stage="confirmation"), series_id__in=ids, build__ordinal__isnull=False
    ).order_by("id")
    found: dict[int, dict[int, Record]] = {}
    for key, ordinal, kind, evidence in rows.values_list("series_id", "build__ordinal", "kind", "evidence"):
        a, b = tuple(evidence.get("a", ())), tuple(evidence.get("b", ()))
        pairs = min(len(a), len(b))
        found.setdefault(key, {})[ordinal or 0] = Record(kind, a[:pairs], b[:pairs])
    return found
