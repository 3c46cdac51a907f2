"""Whether what a person calls fixed is mended: later builds say so, by themselves.

verified   a confirmed change undid it, or the later points of every series are back at the old level
not fixed  the later points of a series still lie nearer to the new level: the person's word is taken back
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import median

from django.db import transaction
from django.utils import timezone

from perfsite.regressions.causes.closing import LEFT_SHARE, incident_fixed, undone_by
from perfsite.regressions.events import event_append, fact_note, incident_locked, incident_set
from perfsite.regressions.guard import guarded
from perfsite.regressions.levels import values_since
from perfsite.regressions.models import Incident, Regression

# the fewest later points whose median one disturbed build cannot move
VERIFY_POINTS = 3


def fixes_verify() -> int:
    """Look at every claim that later builds may have answered; returns how many were settled."""
    claimed = Incident.objects.filter(override="fixed", fixed_at=None, merged_into=None).order_by("id")
    return sum(
        guarded(partial(fix_verify, incident_id=key), f"verifying the fix of incident {key}")
        for key in list(claimed.values_list("pk", flat=True))
    )


@transaction.atomic
def fix_verify(*, incident_id: int) -> bool:
    """Settle one claim; False while later builds do not tell."""
    incident = incident_locked(incident_id=incident_id)
    claim = incident.facts.get("fix_claimed")
    rows = list(incident.regressions.select_related("series", "build", "verdict"))
    if incident.override != "fixed" or incident.fixed_at is not None or not claim or not rows:
        return False
    undone = [build for row in rows if (build := undone_by(regression=row, kind=incident.kind))]
    if len(undone) == len(rows):
        incident_fixed(incident=incident, build=max(undone, key=lambda build: build.ordinal or 0))
        return True
    left = [_left(row, _later(row, claim)) for row in rows]
    known = [share for share in left if share is not None]
    if any(share > 0.5 for share in known):
        worst = rows[max(range(len(rows)), key=lambda index: left[index] or 0.0)]
        _not_fixed(incident, worst)
        return True
    if len(known) == len(rows) and all(share <= LEFT_SHARE for share in known):
        incident_set(incident=incident, fixed_at=timezone.now())
        sentence = f"The fix is verified: {VERIFY_POINTS} later builds of every series are at the old level."
        event_append(incident=incident, code="verified", sentence=sentence)
        return True
    return False


def _later(regression: Regression, claim: dict[str, dict[str, int]]) -> list[float]:
    through = claim["through"].get(str(regression.series_id), regression.build.ordinal or 0)
    return values_since(series_id=regression.series_id, ordinal=through + 1, most=VERIFY_POINTS)


def _left(regression: Regression, values: Sequence[float]) -> float | None:
    """What is left of a change in the first later values, as a share of it; None while they are too few."""
    if len(values) < VERIFY_POINTS:
        return None
    verdict, now = regression.verdict, median(values)
    if min(verdict.before, verdict.after, now) <= 0:
        return (now - verdict.before) / (verdict.after - verdict.before)
    return math.log(now / verdict.before) / math.log(verdict.after / verdict.before)


def _not_fixed(incident: Incident, regression: Regression) -> None:
    incident_set(incident=incident, override="confirmed")
    fact_note(incident=incident, topic="fix_claimed", fact=None)
    sentence = (
        f"Not fixed: {VERIFY_POINTS} later builds show {regression.series.label} still at the new level; "
        "it is confirmed again."
    )
    event_append(incident=incident, code="not_fixed", sentence=sentence)
