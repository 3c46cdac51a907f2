"""What moved since a moment, over all projects: ranked by size over noise, or by size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, ExpressionWrapper, F, FloatField, Q, QuerySet, Value
from django.db.models.expressions import OrderBy
from django.db.models.functions import Abs, Coalesce, Greatest, NullIf

from perfsite.dashboards.selectors.prices import cost_of
from perfsite.dashboards.selectors.verdicts import MOVED, verdicts_newest
from perfsite.regressions.models import Verdict
from perfsite.results.selectors import FACETS
from perfsite.runs.models import Project

SPANS: dict[str, timedelta] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
RANK_COLUMNS = {"noise": "noise", "size": "size", "time": "created_at"}
RANKS = (*RANK_COLUMNS, "cost")
# half of an interval that is not known: what a quiet metric scatters, so that such rows rank by size alone
_HALF_UNKNOWN = 0.01
_HALF_LEAST = 1e-4
_PER_BUILD = 2


def moved_since(
    *,
    projects: Sequence[Project],
    since: datetime,
    kind: str = "",
    text: str = "",
    rank: str = "noise",
    prices: Mapping[str, float] | None = None,
) -> QuerySet[Verdict]:
    """The newest verdicts since a moment that say something moved, with series, build and incident.

    With `prices` (per device hour, by device class) each has its `cost`; only then it can rank by it.
    `kind` leaves only regressions or improvements, every word of `text` must be part of the series.
    """
    found = verdicts_newest(series__project__in=projects, created_at__gte=since)
    found = found.filter(kind=kind) if kind in MOVED else found.filter(kind__in=MOVED)
    for word in text.replace("/", " ").split():
        matches = Q(build__sha__startswith=word.lower()) | Q(build__subject__icontains=word)
        for name in FACETS:
            matches |= Q(**{f"series__{name}__icontains": word})
        found = found.filter(matches)
    ranked = with_ranks(found)
    orders: dict[str, OrderBy] = {name: F(column).desc() for name, column in RANK_COLUMNS.items()}
    if prices:
        ranked = ranked.annotate(cost=cost_of(prices))
        orders["cost"] = Abs("cost", output_field=FloatField()).desc(nulls_last=True)
    related = ("series__project", "build", "regression__incident")
    return ranked.select_related(*related).order_by(orders.get(rank, orders["noise"]), "-id")


def with_ranks(verdicts: QuerySet[Verdict]) -> QuerySet[Verdict]:
    """The verdicts with what they are ranked by: it never changes, whatever is decided afterwards."""
    width = Coalesce(NullIf(F("relative_high") - F("relative_low"), Value(0.0)), Value(2 * _HALF_UNKNOWN))
    half = Greatest(width / 2.0, Value(_HALF_LEAST), output_field=FloatField())
    return verdicts.annotate(
        noise=ExpressionWrapper(Abs("relative") / half, output_field=FloatField()), size=Abs("relative")
    )


def moved_spread(verdicts: Sequence[Verdict], *, most: int) -> list[Verdict]:
    """The first `most` of a ranking, few of one build: a commit that moved hundreds hides no other.

    Where that leaves room, it is filled with the next best.
    """
    times: Counter[tuple[int, str]] = Counter()
    chosen: list[Verdict] = []
    others: list[Verdict] = []
    for verdict in verdicts:
        times[verdict.build_id, verdict.kind] += 1
        few = times[verdict.build_id, verdict.kind] <= _PER_BUILD
        (chosen if few else others).append(verdict)
    shown = {verdict.pk for verdict in [*chosen[:most], *others[: max(0, most - len(chosen))]]}
    return [verdict for verdict in verdicts if verdict.pk in shown]


def moved_counts(*, projects: Sequence[Project], since: datetime) -> dict[str, int]:
    """How many series got worse and better since a moment."""
    found = verdicts_newest(series__project__in=projects, created_at__gte=since).filter(kind__in=MOVED)
    return dict(found.values_list("kind").annotate(count=Count("id")).order_by())
