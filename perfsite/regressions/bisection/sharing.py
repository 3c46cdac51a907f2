"""What a found commit means: the incident's culprit, or an incident of its own beside another culprit's."""

from __future__ import annotations

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.bisection.accusing import regression_accuses
from perfsite.regressions.bisection.covering import witnesses_of
from perfsite.regressions.bisection.words import Commit, split_sentence, what_words
from perfsite.regressions.events import event_append, incident_locked, incident_set
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.regrouping import incident_split
from perfsite.regressions.selectors import regressions_ranked
from perfsite.regressions.subjects import subject_of
from perfsite.runs.models import Build, Project


def culprit_note(*, regression: Regression, culprit: Build, parent: Build) -> None:
    """Keep whom a search found; a second culprit takes the regressions that accuse it into another incident.

    Call it in the transaction that ended the search.
    """
    Project.objects.select_for_update().get(pk=regression.incident.project_id)
    incident = incident_locked(incident_id=regression.incident_id)
    first = incident.culprit
    if first is None or first == culprit:
        incident_set(incident=incident, culprit=culprit)
        return
    # an incident stands at one build: the head's own part stays with the one that accuses the head
    goes, stays = (first, culprit) if culprit == incident.build else (culprit, first)
    going = _accusing(incident, goes)
    what = what_words(subject_of(series=regression.series, build=culprit))
    reason = split_sentence(culprit=_named(culprit), other=_named(first), what=what)
    try:
        other = incident_split(
            incident=incident, regressions=[row.pk for row in going], build=goes, actor="", reason=reason
        )
    except PerfsiteError as error:  # each regression still tells whom it accuses
        event_append(incident=incident, code="split", sentence=f"{reason} Not so here: {error}.")
        return
    start = parent if goes == culprit else _parent_of(going) or other.range_start
    incident_set(incident=other, culprit=goes, range_start=start)
    incident_set(incident=incident, culprit=stays)


def _accusing(incident: Incident, culprit: Build) -> list[Regression]:
    """The regressions of an incident whose own measurements accuse a commit."""
    searches = witnesses_of(incident=incident)
    told = [
        (row, regression_accuses(regression=row, searches=searches))
        for row in regressions_ranked(incident=incident)
    ]
    return [
        row
        for row, accused in told
        if accused.build == culprit and accused.suspects == 1 and accused.basis in ("search", "agrees")
    ]


def _parent_of(going: list[Regression]) -> Build | None:
    """The commit before a culprit that was found earlier, as the search that found it left it."""
    found = (row.bisection for row in going if hasattr(row, "bisection") and row.bisection.state == "found")
    return next((search.good for search in found), None)


def _named(build: Build) -> Commit:
    return Commit(build.short, build.author_name)
