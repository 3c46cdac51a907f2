"""What a person decides about an incident, and what follows for the levels of its series."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.events import (
    event_append,
    fact_note,
    incident_again,
    incident_locked,
    incident_set,
)
from perfsite.regressions.incident_states import PERSON_STATES
from perfsite.regressions.levels import level_rebase, level_starts
from perfsite.regressions.models import Incident, Regression, SeriesState, Verdict
from perfsite.results.models import Measurement

DETECTOR = "person/1"


@transaction.atomic
def incident_triage(
    *, incident: Incident, state: str, note: str | None = None, actor: str = "", reason: str = ""
) -> None:
    """Store a person's word, and a note unless it is None; every step is an event with its actor and reason.

    `untriaged` takes the word back: the data say it again.  `accepted` makes the new level the right one;
    `invalid` clears the points, which count as noise from then on, and taking that back makes them a change
    again.  `fixed` is a claim that later builds verify (`causes/fixing.py`).

    Raises:
        PerfsiteError: the state is none of `PERSON_STATES`.
    """
    if state not in PERSON_STATES:
        raise PerfsiteError(f"unknown incident state {state!r}; known: {', '.join(PERSON_STATES)}")
    row = incident_locked(incident_id=incident.pk)
    before, known = row.state, row.note
    override = "" if state == "untriaged" else state
    if state != before:
        # what the data said once is over when a person opens the case again
        cleared = {"fixed_at": None} if state != "fixed" else {}
        fields = {"override": override, "withdrawn_at": None, "withdrawn_reason": "", **cleared}
        if before == "withdrawn":
            incident_again(incident=row, sentence=f"{actor or 'A person'} opened it again.", **fields)
        else:
            incident_set(incident=row, **fields)
        _state_follow(row, before=before, state=state, actor=actor, reason=reason)
    if note is not None and note != known:
        incident_set(incident=row, note=note)
        event_append(incident=row, code="note", actor=actor, sentence=note or "The note was removed.")
    incident.refresh_from_db()


@transaction.atomic
def incidents_triage(
    *, incidents: Iterable[Incident], state: str, actor: str = "", reason: str = ""
) -> list[Incident]:
    """One word about many incidents, all of them or none; those already there stay untouched."""
    # in the order of their numbers: of two at once neither waits for the other for ever
    moved = sorted((one for one in incidents if one.state != state), key=lambda one: one.pk)
    for incident in moved:
        incident_triage(incident=incident, state=state, actor=actor, reason=reason)
    return moved


def _state_follow(row: Incident, *, before: str, state: str, actor: str, reason: str) -> None:
    """The event of a step, and what it means for verdicts and levels."""
    why = f" {reason}" if reason else ""
    sentence = f"{before} → {row.state}: {PERSON_STATES[state]}.{why}"
    event_append(incident=row, code=state, actor=actor, sentence=sentence)
    if state == "invalid" or before in ("invalid", "withdrawn"):
        _verdicts_turn(row, invalid=state == "invalid", before=before, actor=actor)
    if before == "fixed":  # what undid it before does not close it again
        newest = Verdict.objects.order_by("-id").values_list("id", flat=True).first()
        fact_note(incident=row, topic="reopened", fact=newest)
    if state == "accepted":
        level_accept(incident=row, actor=actor)
    if state == "fixed":
        through = newest_ordinals(incident=row)
        fact_note(incident=row, topic="fix_claimed", fact={"by": actor, "through": through})


def newest_ordinals(*, incident: Incident) -> dict[str, int]:
    """The newest measured place of each series of an incident, by the series' number as text."""
    series = set(incident.regressions.values_list("series_id", flat=True))
    series |= set(incident.standings.values_list("series_id", flat=True))
    rows = Measurement.objects.filter(series_id__in=sorted(series)).values_list("series_id")
    return {str(key): place for key, place in rows.annotate(Max("ordinal")).order_by()}


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


def _verdicts_turn(incident: Incident, *, invalid: bool, before: str, actor: str) -> None:
    """Append what a person says about each regression, and let the levels follow."""
    who = actor or "a person"
    for row in incident.regressions.select_related("series", "build", "verdict"):
        kind = Verdict.Kind.SAME if invalid else row.verdict.kind
        told = "called it invalid: it counts as noise" if invalid else f"took back that it is {before}"
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
