"""What later data make of an open incident: withdrawn when they refute it, fixed when they undo it.

    withdrawn   every regression of it has a newer verdict `same` about the same build: it never was
    fixed       every other regression was undone by later confirmed changes: a revert or a fix, by name

A level that returns without a confirmed change closes nothing: that may be the machine.  What a person calls
fixed is verified in `causes/fixing.py`.  Nothing is deleted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from benchmarks.metrics import metric_get
from perfsite.regressions.events import event_append, fact_note, incident_locked, incident_set
from perfsite.regressions.guard import guarded
from perfsite.regressions.incident_states import OPEN_STATES
from perfsite.regressions.levels import CHANGES
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.regressions.selectors import regressions_ranked
from perfsite.regressions.signals import incident_changed
from perfsite.runs.models import Build

# what may be left of a change that counts as undone, as a share of it
LEFT_SHARE = 0.25
_CODE_STAGES = ("confirmation", "screen", "pass")


def incidents_close() -> int:
    """Withdraw or call fixed what later verdicts speak about; returns how many incidents moved."""
    about = Verdict.objects.filter(series_id=OuterRef("series_id"))
    refuted = about.filter(
        build_id=OuterRef("build_id"), id__gt=OuterRef("verdict_id"), kind=Verdict.Kind.SAME
    )
    undone = about.filter(build__ordinal__gt=OuterRef("build__ordinal"), kind__in=CHANGES)
    touched = Regression.objects.filter(Exists(refuted) | Exists(undone), incident__state__in=OPEN_STATES)
    ids = touched.order_by("incident_id").values_list("incident_id", flat=True).distinct()
    return sum(
        guarded(partial(incident_close, incident_id=key), f"closing incident {key}") for key in list(ids)
    )


@transaction.atomic
def incident_close(*, incident_id: int) -> bool:
    """Withdraw an incident or call it fixed when the newest verdicts say so; False when they do not."""
    incident = incident_locked(incident_id=incident_id)
    if incident.state not in OPEN_STATES:
        return False
    rows = list(incident.regressions.select_related("series", "build", "verdict"))
    refuting = {row.pk: verdict for row in rows if (verdict := _refuting(row))}
    standing = [row for row in rows if row.pk not in refuting]
    if not _is_news(incident, rows):
        return False
    if rows and not standing:
        _withdraw(incident, list(refuting.values()))
        return True
    mended = [build for row in standing if (build := undone_by(regression=row, kind=incident.kind))]
    if standing and len(mended) == len(standing):
        incident_fixed(incident=incident, build=max(mended, key=lambda build: build.ordinal or 0))
        return True
    told = sorted(refuting)
    if told and fact_note(incident=incident, topic="refuted", fact=told):
        sentences = " ".join(verdict.sentence for verdict in refuting.values())
        event_append(incident=incident, code="refuted", sentence=f"In part refuted: {sentences}")
    return False


def _is_news(incident: Incident, rows: Sequence[Regression]) -> bool:
    """Whether any verdict came since a person opened a fixed incident again."""
    mark = incident.facts.get("reopened")
    series = [row.series_id for row in rows]
    return mark is None or Verdict.objects.filter(series_id__in=series, id__gt=mark).exists()


def _refuting(regression: Regression) -> Verdict | None:
    """The verdict that took a regression back: the newest about its build, when that is `same`."""
    newest = (
        Verdict.objects.filter(
            series_id=regression.series_id, build_id=regression.build_id, id__gt=regression.verdict_id
        )
        .exclude(kind=Verdict.Kind.UNKNOWN)
        .order_by("-id")
        .first()
    )
    return newest if newest is not None and newest.kind == Verdict.Kind.SAME else None


def regressions_standing(*, incident: Incident) -> list[Regression]:
    """The regressions that nothing refutes, the worst first; all of them where each one is refuted."""
    rows = regressions_ranked(incident=incident)
    about = Verdict.objects.filter(
        series__in={row.series_id for row in rows}, build__in={row.build_id for row in rows}
    ).exclude(kind=Verdict.Kind.UNKNOWN)
    newest = {
        (series_id, build_id): (pk, kind)
        for series_id, build_id, pk, kind in about.order_by("id").values_list(
            "series_id", "build_id", "id", "kind"
        )
    }
    standing = []
    for row in rows:
        pk, kind = newest.get((row.series_id, row.build_id), (0, ""))
        if kind != Verdict.Kind.SAME or pk < row.verdict_id:
            standing.append(row)
    return standing or rows


def undone_by(*, regression: Regression, kind: str) -> Build | None:
    """The build whose confirmed change brought the series back to the old level; None while it is not.

    Changes of the code undo what the code did, and those of the environment what that did.
    """
    stages = _CODE_STAGES if kind == Incident.Kind.CODE else ("environment",)
    newest: dict[int, Verdict] = {}
    rows = Verdict.objects.filter(
        series_id=regression.series_id,
        build__branch=regression.build.branch,
        build__ordinal__gt=regression.build.ordinal or 0,
        stage__in=(*stages, "triage"),
    ).exclude(kind=Verdict.Kind.UNKNOWN)
    for verdict in rows.select_related("build").order_by("build__ordinal", "id"):
        newest[verdict.build_id] = verdict
    changes = [verdict for verdict in newest.values() if verdict.kind in CHANGES]
    if not changes or not _is_back(regression, changes):
        return None
    better = [verdict for verdict in changes if verdict.kind == Verdict.Kind.IMPROVED]
    return better[-1].build if better else None


def _is_back(regression: Regression, changes: Sequence[Verdict]) -> bool:
    """Whether later changes leave at most a quarter of the regression, or less than is told."""
    metric = metric_get(regression.series.metric)
    first = regression.verdict
    if first.before <= 0 or min(row.relative for row in (first, *changes)) <= -1:
        room = max(metric.grain, LEFT_SHARE * abs(first.after - first.before))
        beyond = changes[-1].after - first.before
        return (beyond if metric.better == "lower" else -beyond) <= room
    whole = math.log1p(first.relative)
    left = whole + sum(math.log1p(row.relative) for row in changes)
    return left * math.copysign(1.0, whole) <= max(LEFT_SHARE * abs(whole), math.log1p(metric.relevant))


def _withdraw(incident: Incident, refuting: Sequence[Verdict]) -> None:
    """Take an incident back; it stays, with the reason."""
    reason = " ".join(verdict.sentence for verdict in refuting)
    incident_set(incident=incident, override="", withdrawn_at=timezone.now(), withdrawn_reason=reason)
    event_append(incident=incident, code="withdrawn", sentence=f"Withdrawn, later data refute it: {reason}")
    _tell(incident)


def incident_fixed(*, incident: Incident, build: Build) -> None:
    """Call an incident fixed by the confirmed change of a later build.  Call it on a locked row."""
    incident_set(incident=incident, override="", fixed_at=timezone.now())
    fact_note(incident=incident, topic="fixed_by", fact=build.pk)
    whose = f"{build.short} ({build.subject})" if build.subject else build.short
    event_append(
        incident=incident,
        code="fixed",
        sentence=f"Fixed: {whose} brought it back to the old level."
        if incident.kind == Incident.Kind.CODE
        else f"Fixed: since {build.short} the environment is as fast as before.",
    )
    _tell(incident)


def _tell(incident: Incident) -> None:
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))
