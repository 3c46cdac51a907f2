"""Which regression of an incident a search goes by next, and whether anything is left to search.

What is counted goes first: one measurement of each commit settles it.  Then each model and runner whose
time got worse is searched by pairs, the commit that was found before and its parent first.  A regression
whose own measurements contradict what was found gets a search of its own.
"""

from __future__ import annotations

import math
from itertools import groupby

from perfsite.regressions.bisection.covering import Witness, is_counted, regression_says, witnesses_of
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.selectors import (
    bisections_of,
    build_is_judged,
    incident_is_open,
    regressions_ranked,
)
from perfsite.results.metrics import metric_row
from perfsite.runs.models import Build

SEARCHES_MOST = 6  # of one incident; what they leave is told as not searched

Group = tuple[str, ...]


def build_is_settled(*, build: Build) -> bool:
    """Whether nothing about a build is open, the search for the guilty commit included."""
    incident = Incident.objects.filter(build=build).exclude(kind=Incident.Kind.SERVICE).first()
    return build_is_judged(build=build) and not (incident and incident_is_searched(incident=incident))


def incident_is_searched(*, incident: Incident) -> bool:
    """Whether a search for the guilty commit runs, or is due to begin."""
    if any(search.state == "running" for search in bisections_of(incident=incident)):
        return True
    return incident_is_open(incident=incident) and regression_due(incident=incident) is not None


def regression_due(*, incident: Incident) -> Regression | None:
    """The regression that the next search goes by; None while one runs, or when none is left.

    None also where one was stopped: what stopped it would stop the next one.
    """
    searches = witnesses_of(incident=incident)
    if len(searches) >= SEARCHES_MOST or any(one.search.state in ("running", "stopped") for one in searches):
        return None
    with_gap = [row for row in regressions_ranked(incident=incident) if has_gap(row)]
    return next((row for row in _in_turn(with_gap) if not _is_answered(row, searches)), None)


def hint_of(*, regression: Regression) -> Build | None:
    """The commit that an earlier search of the incident found, of the same model where there is one."""
    found = [one for one in bisections_of(incident=regression.incident) if one.state == "found"]
    same = [one for one in found if one.regression.series.model == regression.series.model]
    return next((one.bad for one in (*same, *found)), None)


def has_gap(regression: Regression) -> bool:
    """Whether a commit lies between a regression's good build and the one it accuses."""
    base, build = regression.verdict.base, regression.build
    if base is None or base.ordinal is None or build.ordinal is None:
        return False
    return build.ordinal - base.ordinal > 1


def group_of(regression: Regression) -> Group:
    """What one search speaks for: the counts of a model, or the times of a model and runner."""
    series = regression.series
    where = (series.device_class, series.model, series.precision)
    return ("counted", *where) if is_counted(regression) else ("timed", *where, series.runner)


def _in_turn(ranked: list[Regression]) -> list[Regression]:
    """Counted ones first, then the confirmed ones of each model and runner, each the worst first."""
    counted = [row for row in ranked if is_counted(row)]
    confirmed = [row for row in ranked if row.verdict.stage == "confirmation"]
    first = {group_of(row): place for place, row in reversed(list(enumerate(confirmed)))}
    confirmed.sort(key=lambda row: first[group_of(row)])
    groups = [_clear_first(list(rows)) for _, rows in groupby(confirmed, key=group_of)]
    return [*counted, *(row for rows in groups for row in rows)]


def _is_answered(regression: Regression, searches: list[Witness]) -> bool:
    """Whether a search went by it, or by one like it and its own measurements do not contradict that."""
    if any(one.search.regression_id == regression.pk for one in searches):
        return True
    same = [one for one in searches if group_of(one.search.regression) == group_of(regression)]
    found = [one for one in same if one.search.state == "found"]
    return bool(same) and not (
        found and all(regression_says(regression=regression, witness=one) == "elsewhere" for one in found)
    )


def _clear_first(confirmed: list[Regression]) -> list[Regression]:
    """The worst first, but a time whose pairs could hardly bound it behind one that is known better."""
    if not _is_time(confirmed[0]) or _is_clear(confirmed[0]):
        return confirmed
    clear = next((row for row in confirmed if _is_time(row) and _is_clear(row)), confirmed[0])
    return [clear, *(row for row in confirmed if row is not clear)]


def _is_time(regression: Regression) -> bool:
    row = metric_row(regression.series.metric)
    return row is not None and row.unit in ("s", "1/s")


def _is_clear(regression: Regression) -> bool:
    """Whether the interval of the pairs is no wider than the change itself."""
    verdict = regression.verdict
    low, high = verdict.relative_low, verdict.relative_high
    if low is None or high is None or min(low, verdict.relative) <= -1:
        return False
    return math.log1p(high) - math.log1p(low) <= abs(math.log1p(verdict.relative))
