"""Whom an incident accuses, and whom each of its regressions: no more than its own measurements say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfsite.regressions.bisection.covering import Witness, regression_says, witnesses_of
from perfsite.regressions.bisection.due import has_gap
from perfsite.regressions.bisection.words import left_sentence
from perfsite.regressions.models import Bisection, Incident, Regression
from perfsite.regressions.selectors import EXCLUDED, change_rank, regressions_ranked
from perfsite.regressions.subjects import subject_of
from perfsite.runs.models import Build

Basis = Literal["", "search", "agrees", "elsewhere", "unknown"]


@dataclass(frozen=True)
class Accusation:
    """Whom an incident, or one regression of it, accuses.

    `build` is the culprit, or the newest of the `suspects` commits that it can be; `good` the last good
    one; `sentence` what the searches said, empty without one.  `basis` is what a regression's accusation
    rests on: a `search` by itself, its own measurements that a found commit `agrees` with or not
    (`elsewhere`), none (`unknown`); empty where no search was made.
    """

    build: Build
    good: Build
    suspects: int = 1
    sentence: str = ""
    basis: Basis = ""

    @property
    def label(self) -> str:
        """The accused in a sentence: seven characters, or a range as git writes it."""
        return self.build.short if self.suspects == 1 else f"{self.good.short}..{self.build.short}"


def accusation_of(*, incident: Incident) -> Accusation:
    """Whom an incident accuses, as far as it is known."""
    witnesses = witnesses_of(incident=incident)
    searches = [one.search for one in witnesses]
    sentence = _sentence(incident, witnesses)
    if incident.culprit is not None:
        return Accusation(incident.culprit, incident.range_start, 1, sentence)
    open_end = [search for search in searches if search.state != "found"]
    if not open_end or len(open_end) < len(searches):
        return Accusation(incident.build, incident.range_start, 1, sentence)
    worst = min(open_end, key=_search_rank)
    return Accusation(worst.bad, worst.good, _suspects(worst), sentence)


def regression_accuses(*, regression: Regression, searches: list[Witness]) -> Accusation:
    """Whom one regression accuses, after the searches of its incident."""
    incident, base = regression.incident, regression.verdict.base
    own = next((one.search for one in searches if one.search.regression_id == regression.pk), None)
    if own is not None:
        suspects = 1 if own.state == "found" else _suspects(own)
        return Accusation(own.bad, own.good, suspects, own.reason, "search")
    if not searches or base is None or not has_gap(regression):
        return Accusation(incident.build, incident.range_start)
    found = [one for one in searches if one.search.state == "found" and _is_near(one.search, regression)]
    said = [(one.search, regression_says(regression=regression, witness=one)) for one in found]
    agreed = next((search for search, says in said if says == "agrees"), None)
    if agreed is not None:
        return Accusation(agreed.bad, agreed.good, 1, agreed.reason, "agrees")
    basis: Basis = "elsewhere" if any(says == "elsewhere" for _, says in said) else "unknown"
    return Accusation(regression.build, base, _width(base, regression.build), "", basis)


def _is_near(search: Bisection, regression: Regression) -> bool:
    """Whether a search measured what the regression is about: its model and precision on its device class."""
    one, other = search.regression.series, regression.series
    return (one.device_class, one.model, one.precision) == (other.device_class, other.model, other.precision)


def _sentence(incident: Incident, witnesses: list[Witness]) -> str:
    """What every search said, and which regressions they do not speak for."""
    searches = [one.search for one in witnesses]
    if not searches:
        return ""
    told = [search.reason for search in sorted(searches, key=_search_rank) if search.reason]
    left = [
        subject_of(series=row.series, build=row.build)
        for row in regressions_ranked(incident=incident)
        if has_gap(row)
        and regression_accuses(regression=row, searches=witnesses).basis in ("elsewhere", "unknown")
    ]
    if left and any(search.state == "found" for search in searches):
        told.append(left_sentence(left))
    return " ".join(told)


def _search_rank(search: Bisection) -> tuple[int, float]:
    return change_rank(search.regression.series.metric, search.regression.verdict.relative)


def _width(good: Build, bad: Build) -> int:
    return max(1, (bad.ordinal or 0) - (good.ordinal or 0))


def _suspects(search: Bisection) -> int:
    """How many commits a search left: those that cannot matter aside."""
    left_out = search.steps.filter(
        verdict=EXCLUDED, build__ordinal__gt=search.good.ordinal, build__ordinal__lt=search.bad.ordinal
    )
    return max(1, _width(search.good, search.bad) - left_out.count())
