"""Which service levels a build's own reports breach, whatever later builds say: read from the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from perfsite.regressions.level_words import breach_sentence
from perfsite.regressions.models import Incident
from perfsite.regressions.service_levels import level_concerns, level_is_met
from perfsite.results.models import Measurement
from perfsite.runs.models import Build, Job

# a person's word about a breach after which nobody is to be stopped by it
SETTLED = ("accepted", "invalid")


@dataclass(frozen=True)
class Breach:
    """One series of a build that breaches one level; `incident_id` is the breach's, None where it is gone."""

    sentence: str
    incident_id: int | None


def breaches_of_build(*, build: Build) -> list[Breach]:
    """The breaches that nobody accepted or called invalid, in the order of the series."""
    jobs = Job.objects.filter(run__build=build, kind=Job.Kind.MEASURE, spec__has_key="levels")
    return [breach for job in jobs.order_by("id") for breach in _breaches(job, build)]


def _breaches(job: Job, build: Build) -> Iterator[Breach]:
    points = Measurement.objects.filter(job=job).select_related("series").order_by("series_id")
    for point in points if job.spec["levels"] else ():
        for level in job.spec["levels"]:
            if not level_concerns(level, point.series) or level_is_met(level, point.value):
                continue
            incident = _incident_of(build, level["key"])
            if incident is None or incident.state not in SETTLED:
                sentence = breach_sentence(
                    point.series, value=point.value, bound=level["bound"], direction=level["direction"]
                )
                yield Breach(sentence, incident.pk if incident else None)


def _incident_of(build: Build, key: str) -> Incident | None:
    """The breach that held at this build: the newest that began at it or before."""
    rows = Incident.objects.filter(
        project_id=build.project_id,
        kind=Incident.Kind.SERVICE,
        level=key,
        build__branch=build.branch,
        build__ordinal__lte=build.ordinal or 0,
    )
    return rows.order_by("-build__ordinal", "-id").first()
