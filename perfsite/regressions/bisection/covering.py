"""Whether a regression came with the commit that a search found by another one: its own measurements say.

The search by the size of a model proves who made it larger.  Whether the same commit made it slower is
asked of the time's own measurements at that commit and at its parent; nothing is concluded from the size.
"""

from __future__ import annotations

from typing import Literal

from perfsite.regressions.bisection.search import Answer, Found, Range, Search
from perfsite.regressions.bisection.state import answer_counted, compared, point_of, searched
from perfsite.regressions.models import Bisection, Regression
from perfsite.results.metrics import metric_row
from perfsite.results.models import Report
from perfsite.runs.models import Build

Says = Literal["agrees", "elsewhere", "unknown"]


def regression_says(*, regression: Regression, search: Bisection) -> Says:
    """What a regression's own measurements say of the commit that a search found.

    `agrees`: it shows that change, and the commit before it does not.  `elsewhere`: another commit
    has it, or a part of it.  `unknown`: it was not measured there, or too noisily.
    """
    base, accused = regression.verdict.base, regression.build
    if base is None or None in (base.ordinal, accused.ordinal, search.bad.ordinal, search.good.ordinal):
        return "unknown"
    first, last, culprit = base.ordinal or 0, accused.ordinal or 0, search.bad.ordinal or 0
    if not first < culprit <= last:
        return "elsewhere"  # it was good at the culprit or behind it, or bad before it
    asked = [build for build in (search.good, search.bad) if first < (build.ordinal or 0) < last]
    state = searched(bisection=search)
    if state is None:
        return "unknown"
    known = {build.ordinal or 0: _answer(regression, search, build, state.alpha) for build in asked}
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


def _answer(regression: Regression, search: Bisection, build: Build, alpha: float) -> Answer | None:
    """What is known of one commit: the point of a counted metric, else the pairs of the search's step."""
    if is_counted(regression):
        point = point_of(series=regression.series, build_id=build.pk)
        return answer_counted(regression=regression, value=point.value, alpha=alpha) if point else None
    if regression.verdict.base_id != search.regression.verdict.base_id:
        return None  # the pairs of a step are against the search's good build
    report = Report.objects.filter(job__bisection_steps__bisection=search, job__run__build=build).first()
    learnt = compared(regression=regression, report=report, alpha=alpha) if report else None
    return learnt.answer if learnt else None
