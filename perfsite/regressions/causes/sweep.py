"""Where changes came from, and what later data make of an incident: the sweep.

Rows say what is left to do, so every step may be stopped anywhere and taken twice at once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q

from perfsite.regressions.answers import answers_judge
from perfsite.regressions.attribution import METHOD, Attributed, attribute
from perfsite.regressions.causes.closing import incidents_close
from perfsite.regressions.causes.environment import environment_told, environments_settle
from perfsite.regressions.causes.fixing import fixes_verify
from perfsite.regressions.causes.recheck import rechecks_order, rechecks_tell
from perfsite.regressions.causes.refuting import comparisons_reread
from perfsite.regressions.causes.witnesses import evidence_gather
from perfsite.regressions.guard import guarded
from perfsite.regressions.levels import CHANGES
from perfsite.regressions.models import Attribution, Regression, Verdict

# what a verdict needs to be attributed: pairs, or a count
_STAGES = ("confirmation", "screen")


def causes_find() -> int:
    """Attribute what was decided, tell the environment from the code, close what later data closed.

    Returns how many steps were taken; 0 means that nothing is left to do.
    """
    steps = sum(
        guarded(partial(attribution_make, verdict=verdict), f"attributing {verdict}")
        for verdict in verdicts_unattributed()
    )
    steps += environments_settle()
    steps += _answers_judge()
    steps += rechecks_order() + rechecks_tell()
    steps += comparisons_reread()
    return steps + incidents_close() + fixes_verify()


def verdicts_unattributed() -> list[Verdict]:
    """The changes and the refuted suspicions whose causes nobody looked for, the oldest first.

    Refuted is also what the pairs left undecided because no change was the likelier of the two.
    """
    refuted = Q(kind=Verdict.Kind.SAME) | Q(
        kind=Verdict.Kind.UNKNOWN, evidence__e_value__lt=1.0, evidence__pairs__gte=2
    )
    changed = Q(kind__in=CHANGES, stage__in=_STAGES)
    rows = Verdict.objects.filter(
        refuted & Q(stage="confirmation") | changed, attribution=None, base__isnull=False
    )
    return list(rows.select_related("series", "build", "base").order_by("id"))


def attribution_make(*, verdict: Verdict) -> bool:
    """Store where a verdict's change came from, once; False when another task was first."""
    evidence = evidence_gather(verdict=verdict)
    found = attribute(evidence) if evidence else None
    facts = _facts(found, verdict)
    if found is None:
        facts["reason"] = (
            "a value of zero or below has no ratio, so its change cannot be split"
            if evidence
            else "the points of one of the two builds are not there any more"
        )
    with transaction.atomic():
        _, is_new = Attribution.objects.get_or_create(
            verdict=verdict,
            defaults={
                "total": found.total if found else verdict.relative,
                "parts": found.parts_json() if found else [],
                "facts": facts,
            },
        )
        regression = Regression.objects.filter(verdict=verdict).first()
        if is_new and regression is not None and found is not None and found.is_machine:
            environment_told(incident_id=regression.incident_id, verdict=verdict, found=found)
    return is_new


def _facts(found: Attributed | None, verdict: Verdict) -> dict[str, Any]:
    facts: dict[str, Any] = {"method": METHOD}
    if found is not None:
        facts |= {
            "low": found.low,
            "high": found.high,
            "left_out": found.left_out,
            "machine": list(found.machine),
            "differences": [list(one) for one in found.differences],
        }
    if verdict.kind not in CHANGES and found is not None:
        facts["level"] = "waiting"  # whether the level moved although the code did not: later points tell
    return facts


def _answers_judge() -> int:
    """Builds that became faster and wrong; a verdict does this at once, and a lost one is mended here."""
    open_ones = Regression.objects.filter(
        Q(series__suite__in=("accuracy", "evaluate")), incident__state="untriaged"
    ).exclude(incident__facts__has_key="wrong")
    return sum(
        guarded(partial(answers_judge, verdict=row.verdict), f"judging the answers of {row}")
        for row in open_ones.select_related("verdict__series", "verdict__build")
    )
