"""Faster but wrong: what a build gained in speed it lost in its answers; one incident says both."""

from __future__ import annotations

from django.db import transaction

from perfsite.regressions.events import event_append, fact_note, incident_locked
from perfsite.regressions.models import Regression, Verdict
from perfsite.regressions.selectors import change_rank
from perfsite.regressions.subjects import change_of, subject_of
from perfsite.regressions.wording import wrong_sentence
from perfsite.results.metrics import metric_row

# what a model computes, and how fast
_ANSWERS = ("accuracy", "evaluate")
_SPEEDS = ("s", "1/s")


@transaction.atomic
def answers_judge(*, verdict: Verdict) -> bool:
    """Whether this verdict's build made a model faster and wrong, which its incident then says first.

    Called for either half, whichever comes later: the incident is the one that the answers opened.
    """
    worse = _drifted(verdict)
    gains = _gains(verdict)
    if not worse or not gains:
        return False
    incident = incident_locked(incident_id=worse[0].incident_id)
    first, gain = worse[0].verdict, gains[0]
    sentence = wrong_sentence(
        subject_of(series=gain.series, build=gain.build),
        change_of(gain),
        subject_of(series=first.series, build=first.build),
        change_of(first),
    )
    fact = {"gain": gain.pk, "answers": first.pk, "sentence": sentence}
    if not fact_note(incident=incident, topic="wrong", fact=fact):
        return False
    fact_note(incident=incident, topic="headline", fact=sentence)
    event_append(incident=incident, code="wrong", sentence=sentence)
    return True


def _drifted(verdict: Verdict) -> list[Regression]:
    """The regressions of what this build's model computes, the worst first."""
    series = verdict.series
    rows = Regression.objects.filter(
        build_id=verdict.build_id,
        series__suite__in=_ANSWERS,
        series__model=series.model,
        series__runner=series.runner,
        series__precision=series.precision,
        verdict__stage__in=("confirmation", "screen"),
    ).select_related("verdict__series", "verdict__build", "series")
    return sorted(rows, key=lambda row: change_rank(row.series.metric, row.verdict.relative))


def _gains(verdict: Verdict) -> list[Verdict]:
    """What this build made faster for the same model, runner and precision, what a person feels first."""
    series = verdict.series
    rows = Verdict.objects.filter(
        build_id=verdict.build_id,
        kind=Verdict.Kind.IMPROVED,
        stage="confirmation",
        series__model=series.model,
        series__runner=series.runner,
        series__precision=series.precision,
    ).select_related("series", "build")
    timed = [row for row in rows if _is_speed(row.series.metric)]
    return sorted(timed, key=lambda row: change_rank(row.series.metric, row.relative))


def _is_speed(metric: str) -> bool:
    row = metric_row(metric)
    return row is not None and row.unit in _SPEEDS
