"""Whether a regression came with the commit that a search found by another one: its own measurements say.

The search by the size of a model proves who made it larger.  Whether the same commit made it slower is
asked of the time's own measurements at that commit and at its parent; nothing is concluded from the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from benchmarks.report import Comparison
from perfsite.regressions.bisection.search import Answer, Found, Range, Search
from perfsite.regressions.bisection.state import Searched, answer_compared, answer_counted, searched
from perfsite.regressions.models import Bisection, Incident, Regression
from perfsite.regressions.selectors import bisections_of
from perfsite.results.metrics import metric_row
from perfsite.results.models import Measurement, Report
from perfsite.runs.cases import case_key
from perfsite.runs.models import Build

Says = Literal["agrees", "elsewhere", "unknown"]
_Row = tuple[object, str]  # the key of a case, and a metric


@dataclass(frozen=True)
class Witness:
    """A search with all that was measured at what it found and before; read when first asked, once."""

    search: Bisection

    @cached_property
    def state(self) -> Searched | None:
        """The search as its rows tell it."""
        return searched(bisection=self.search)

    @cached_property
    def points(self) -> dict[tuple[int, int], float]:
        """The values of the searched model at both commits, by series and build."""
        series = self.search.regression.series
        rows = Measurement.objects.filter(
            build_id__in=(self.search.good_id, self.search.bad_id),
            series__device_class=series.device_class,
            series__model=series.model,
            series__precision=series.precision,
        )
        told = rows.values_list("series_id", "build_id", "value")
        return {(series_id, build_id): value for series_id, build_id, value in told}

    @cached_property
    def comparisons(self) -> dict[int, dict[_Row, Comparison]]:
        """What the search's pairs of each commit with the good build hold, by build."""
        reports = Report.objects.filter(kind="compare", job__bisection_steps__bisection=self.search)
        found: dict[int, dict[_Row, Comparison]] = {}
        for build_id, rows in reports.values_list("job__run__build_id", "comparisons"):
            read = [Comparison.model_validate(fields) for fields in rows]
            found[build_id] = {(case_key(row.case), row.metric): row for row in read if row.a}
        return found


def witnesses_of(*, incident: Incident) -> list[Witness]:
    """The searches of an incident with what they measured, the first one first."""
    return [Witness(search) for search in bisections_of(incident=incident)]


def regression_says(*, regression: Regression, witness: Witness) -> Says:
    """What a regression's own measurements say of the commit that a search found.

    `agrees`: it shows that change, and the commit before it does not.  `elsewhere`: another commit
    has it, or a part of it.  `unknown`: it was not measured there, or too noisily.
    """
    search, base, accused = witness.search, regression.verdict.base, regression.build
    if base is None or None in (base.ordinal, accused.ordinal, search.bad.ordinal, search.good.ordinal):
        return "unknown"
    first, last, culprit = base.ordinal or 0, accused.ordinal or 0, search.bad.ordinal or 0
    if not first < culprit <= last:
        return "elsewhere"  # it was good at the culprit or behind it, or bad before it
    if witness.state is None:
        return "unknown"
    asked = [build for build in (search.good, search.bad) if first < (build.ordinal or 0) < last]
    known = {build.ordinal or 0: _answer(regression, witness, build, witness.state.alpha) for build in asked}
    told = {place: answer for place, answer in known.items() if answer is not None}
    places = (first, *known, last)
    end = Search(places, told, regression.verdict.relative or 1.0, len(places)).next()
    if isinstance(end, Found):
        return "agrees" if end.commit == culprit else "elsewhere"
    return "elsewhere" if isinstance(end, Range) and end.reason in ("partial", "shared") else "unknown"


def is_counted(regression: Regression) -> bool:
    """Whether one measurement of a commit settles it."""
    row = metric_row(regression.series.metric)
    return row is not None and row.exact and regression.verdict.stage == "screen"


def _answer(regression: Regression, witness: Witness, build: Build, alpha: float) -> Answer | None:
    """What is known of one commit: the point of a counted metric, else the pairs of the search's step."""
    if is_counted(regression):
        value = witness.points.get((regression.series_id, build.pk))
        return None if value is None else answer_counted(regression=regression, value=value, alpha=alpha)
    if regression.verdict.base_id != witness.search.regression.verdict.base_id:
        return None  # the pairs of a step are against the search's good build
    series = regression.series
    row = witness.comparisons.get(build.pk, {}).get((case_key(series), series.metric))
    return None if row is None else answer_compared(regression=regression, row=row, alpha=alpha)
