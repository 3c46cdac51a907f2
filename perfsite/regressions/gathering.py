"""Which incident a regression of the code belongs to: one for the regressions whose build ranges overlap.

the accused build was moved or merged away by a person   the incident that took it
an incident accuses the very build                       that one
an open incident's range overlaps (series with gaps)     that one, narrowed to what both ranges leave
none                                                     a new one
"""

from __future__ import annotations

from django.db.models import Q

from perfsite.regressions.events import event_append, incident_locked, incident_set
from perfsite.regressions.incident_states import ACCUSING_STATES
from perfsite.regressions.models import Bisection, Incident
from perfsite.runs.models import Build, Project


def incident_gather(*, build: Build, base: Build) -> tuple[Incident, bool]:
    """The incident for a regression of `build` since `base`, and whether it is new.

    Call it in a transaction: the project's row is held, so of two tasks at once the second finds what the
    first opened, at whichever build.
    """
    Project.objects.select_for_update().get(pk=build.project_id)
    found = _moved(build) or Incident.objects.filter(build=build).exclude(kind=Incident.Kind.SERVICE).first()
    if found is not None:
        return incident_followed(found), False
    if (overlapping := _overlapping(build, base)) is not None:
        _narrow(overlapping, build, base)
        return overlapping, False
    return Incident.objects.create(build=build, project_id=build.project_id, range_start=base), True


def _moved(build: Build) -> Incident | None:
    """The incident that accused this build until a person, or a narrower range, moved it."""
    return Incident.objects.filter(original_build=build).order_by("id").first()


def incident_followed(incident: Incident) -> Incident:
    """The incident that took the regressions of a merged one."""
    seen = {incident.pk}
    while incident.merged_into is not None and incident.merged_into_id not in seen:
        incident = incident.merged_into
        seen.add(incident.pk)
    return incident


def _overlapping(build: Build, base: Build) -> Incident | None:
    """The open incident of the code whose range `(start, accused]` shares a build with `(base, build]`."""
    if build.ordinal is None or base.ordinal is None:
        return None
    rows = Incident.objects.filter(
        Q(range_start__ordinal__lt=build.ordinal, build__ordinal__gt=base.ordinal),
        project_id=build.project_id,
        build__branch=build.branch,
        kind=Incident.Kind.CODE,
        state__in=ACCUSING_STATES,
        merged_into=None,
    )
    return rows.select_related("build", "range_start").order_by("build__ordinal", "id").first()


def _narrow(incident: Incident, build: Build, base: Build) -> None:
    """Accuse the earlier build when a series with fewer gaps names it; the first range is kept.

    A search that has begun asks about the range that it was begun with, and a person's move stands.
    """
    earlier = (build.ordinal or 0) < (incident.build.ordinal or 0)
    searched = Bisection.objects.filter(regression__incident=incident).exists()
    if not earlier or searched or incident.original_build_id is not None:
        return
    row = incident_locked(incident_id=incident.pk)
    before = row.build
    start = base if (base.ordinal or 0) > (incident.range_start.ordinal or 0) else incident.range_start
    incident_set(
        incident=row, original_build=before, original_start=row.range_start, build=build, range_start=start
    )
    sentence = f"Narrowed from {before.short} to {build.short}: a series with fewer gaps names it."
    event_append(incident=row, code="narrowed", sentence=sentence)
    incident.build, incident.range_start = build, start
