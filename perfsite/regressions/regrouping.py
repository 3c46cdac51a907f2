"""Incidents that a person merges, splits or moves to another build; their first range is kept."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.events import event_append, incident_locked, incident_set
from perfsite.regressions.models import Incident, Regression
from perfsite.regressions.signals import incident_changed
from perfsite.runs.models import Build, Project


@transaction.atomic
def incident_merge(*, incident: Incident, into: Incident, actor: str, reason: str = "") -> None:
    """Give all regressions of `incident` to `into`; the first stays, empty, and leads to the second.

    Raises:
        PerfsiteError: they are of two projects, the same, breaches, or one was merged already.
    """
    if incident.pk == into.pk or incident.project_id != into.project_id:
        raise PerfsiteError(f"incident {incident.pk} can be merged only into another one of its project")
    source, target = _both_locked(incident.pk, into.pk)
    _breaches_refuse(source, target)
    if source.merged_into_id or target.merged_into_id:
        raise PerfsiteError("one of the two was merged into another already; merge what it was merged into")
    moved = Regression.objects.filter(incident=source).update(incident=target)
    incident_set(incident=source, merged_into=target)
    why = f" {reason}" if reason else ""
    event_append(
        incident=source, code="merged", actor=actor, sentence=f"Merged into incident {target.pk}.{why}"
    )
    sentence = f"Took {moved} regressions of incident {source.pk} ({source.build.short}).{why}"
    event_append(incident=target, code="merged", actor=actor, sentence=sentence)
    incident.refresh_from_db()
    _changed(target)


@transaction.atomic
def incident_split(
    *, incident: Incident, regressions: Collection[int], build: Build, actor: str, reason: str = ""
) -> Incident:
    """Give some regressions to an incident that accuses `build`, which is opened or comes back from a merge.

    Who was told of the first needs no second message about the same changes.

    Raises:
        PerfsiteError: none or all of them would go, or another incident accuses that build.
    """
    Project.objects.select_for_update().get(pk=incident.project_id)
    row = incident_locked(incident_id=incident.pk)
    own = set(row.regressions.values_list("pk", flat=True))
    going = own & set(regressions)
    if not going or going == own:
        raise PerfsiteError("a split takes some of the incident's regressions and leaves at least one")
    if build.project_id != row.project_id or build.pk == row.build_id:
        raise PerfsiteError(f"the split needs another build of {row.project.slug} than {row.build.short}")
    other = Incident.objects.filter(build=build).exclude(kind=Incident.Kind.SERVICE).first()
    if other is not None and other.merged_into_id != row.pk:
        raise PerfsiteError(f"incident {other.pk} accuses {build.short} already; choose another build")
    if other is None:
        start = _before(build) or row.range_start
        other = Incident.objects.create(
            project_id=row.project_id, build=build, range_start=start, kind=row.kind, told_at=row.told_at
        )
    told = other.told_at or row.told_at
    incident_set(incident=other, merged_into=None, told_at=told)
    Regression.objects.filter(pk__in=going).update(incident=other)
    why = f" {reason}" if reason else ""
    event_append(
        incident=row,
        code="split",
        actor=actor,
        sentence=f"{len(going)} regressions went to incident {other.pk} ({build.short}).{why}",
    )
    sentence = f"Split from incident {row.pk} ({row.build.short}).{why}"
    event_append(incident=other, code="split", actor=actor, sentence=sentence)
    _changed(other)
    return other


@transaction.atomic
def incident_reassign(*, incident: Incident, build: Build, actor: str, reason: str = "") -> None:
    """Accuse another build; the range that the incident was opened with is kept beside the new one.

    Later regressions of the first build still join this incident.

    Raises:
        PerfsiteError: the build is on another branch or project, another accuses it, or it is a breach.
    """
    Project.objects.select_for_update().get(pk=incident.project_id)
    row = incident_locked(incident_id=incident.pk)
    _breaches_refuse(row)
    before = row.build
    if build.pk == before.pk:
        return
    if (build.project_id, build.branch) != (before.project_id, before.branch) or build.ordinal is None:
        raise PerfsiteError(f"{build.short} is not on branch {before.branch} of {row.project.slug}")
    other = Incident.objects.filter(build=build).exclude(kind=Incident.Kind.SERVICE).first()
    if other is not None:
        raise PerfsiteError(f"incident {other.pk} accuses {build.short} already; merge the two instead")
    fields: dict[str, Build | None] = {"build": build, "culprit": None}
    if row.original_build_id is None:
        fields |= {"original_build": before, "original_start": row.range_start}
    start = row.range_start
    if (start.ordinal or 0) >= build.ordinal:
        fields["range_start"] = _before(build) or start
    incident_set(incident=row, **fields)
    why = f" {reason}" if reason else ""
    sentence = f"Accuses {build.short} instead of {before.short}.{why}"
    event_append(incident=row, code="reassigned", actor=actor, sentence=sentence)
    incident.refresh_from_db()
    _changed(row)


def _breaches_refuse(*incidents: Incident) -> None:
    """A breach belongs to its level: later series join it, and it ends when they meet the level again."""
    breach = next((row for row in incidents if row.kind == Incident.Kind.SERVICE), None)
    if breach is not None:
        raise PerfsiteError(f"incident {breach.pk} is the breach of a service level; those stay as they are")


def _before(build: Build) -> Build | None:
    """The build in front of one on its branch."""
    earlier = Build.objects.filter(
        project_id=build.project_id, branch=build.branch, ordinal__lt=build.ordinal
    )
    return earlier.order_by("-ordinal").first()


def _both_locked(first: int, second: int) -> tuple[Incident, Incident]:
    """Both rows, locked in the order of their numbers: two merges at once do not wait for each other."""
    rows = {pk: incident_locked(incident_id=pk) for pk in sorted((first, second))}
    return rows[first], rows[second]


def _changed(incident: Incident) -> None:
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))
