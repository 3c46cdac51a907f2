"""What a person decides about an incident, and what follows for the levels of its series."""

from __future__ import annotations

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.events import event_append, fact_note, incident_locked
from perfsite.regressions.levels import level_rebase, level_starts
from perfsite.regressions.models import Incident, Regression, SeriesState, Verdict

# a person may take any step back: only the words are fixed
TRIAGE_STATES: dict[str, str] = {
    "untriaged": "nobody has looked at it yet",
    "investigating": "somebody looks into it",
    "confirmed": "a real regression that is to be mended",
    "accepted": "a price worth paying: the new level is the right one",
    "resolved": "mended or reverted",
    "refuted": "not a regression: the detector was wrong",
}
DETECTOR = "person/1"


@transaction.atomic
def incident_triage(*, incident: Incident, state: str, note: str, actor: str = "") -> None:
    """Store a person's decision and note; every step is an event with its actor.

    `accepted` makes the new level the right one; `refuted` clears the points, which count as noise from
    then on, and taking that back makes them a change again.

    Raises:
        PerfsiteError: the state is none of `TRIAGE_STATES`.
    """
    if state not in TRIAGE_STATES:
        raise PerfsiteError(f"unknown incident state {state!r}; known: {', '.join(TRIAGE_STATES)}")
    row = incident_locked(incident_id=incident.pk)
    before, known = row.state, row.note
    Incident.objects.filter(pk=row.pk).update(state=state, note=note)
    if state != before:
        event_append(
            incident=row, code=state, actor=actor, sentence=f"{before} → {state}: {TRIAGE_STATES[state]}."
        )
        if "refuted" in (before, state):
            _verdicts_turn(row, refuted=state == "refuted", actor=actor)
        if state == "accepted":
            level_accept(incident=row, actor=actor)
    if note != known:
        event_append(incident=row, code="note", actor=actor, sentence=note or "The note was removed.")
    incident.state, incident.note = state, note


def level_accept(*, incident: Incident, actor: str) -> None:
    """Make the new level of every series of an incident the right one: later builds are judged against it.

    The level begins at the build of each regression, as the verdicts tell (`levels.level_starts`); the
    marker `accepted` in the incident's facts says since which build and by whom.  The noise is the series'
    own and stays.  Call it in a transaction that holds the incident's row.
    """
    rows = list(incident.regressions.select_related("build", "series", "verdict"))
    for row in rows:
        place = row.build.ordinal
        if place is None:
            continue
        if place not in level_starts(series_id=row.series_id):
            _verdict_repeat(row, kind=row.verdict.kind, sentence=f"Accepted by {actor or 'a person'}.")
        if SeriesState.objects.filter(series_id=row.series_id, level_start__lt=place).exists():
            level_rebase(series_id=row.series_id)
    fact = {"by": actor, "build": incident.build_id, "series": sorted(row.series_id for row in rows)}
    fact_note(incident=incident, topic="accepted", fact=fact)


def _verdicts_turn(incident: Incident, *, refuted: bool, actor: str) -> None:
    """Append what a person says about each regression, and let the levels follow."""
    who = actor or "a person"
    for row in incident.regressions.select_related("series", "build", "verdict"):
        kind = Verdict.Kind.SAME if refuted else row.verdict.kind
        told = "refuted it: it counts as noise" if refuted else "took the refutation back"
        _verdict_repeat(row, kind=kind, sentence=f"{who} {told}. {row.verdict.sentence}")
        level_rebase(series_id=row.series_id)


def _verdict_repeat(regression: Regression, *, kind: str, sentence: str) -> Verdict:
    """Append a person's verdict about a regression, with the numbers that it was told with."""
    first = regression.verdict
    return Verdict.objects.create(
        series=regression.series,
        build=regression.build,
        base=first.base,
        job=first.job,
        kind=kind,
        stage="triage",
        before=first.before,
        after=first.after,
        relative=first.relative,
        relative_low=first.relative_low,
        relative_high=first.relative_high,
        evidence={"about": first.pk},
        sentence=sentence,
        detector=DETECTOR,
        data_sha256=first.data_sha256,
    )
