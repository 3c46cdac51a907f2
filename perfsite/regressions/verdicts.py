"""What was decided about builds: the newest verdict counts, the older ones are its history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Max, QuerySet, Sum

from perfsite.regressions.level_breaches import Breach, breaches_of_build
from perfsite.regressions.models import Incident, Suspicion, Verdict
from perfsite.regressions.selectors import build_is_judged
from perfsite.results.models import Report
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED

MOST_TOLD = 20


@dataclass(frozen=True)
class Standing:
    """What is known about a build as a whole.

    `verdict` is `regressed` when any series is or a service level is breached, else `unknown` when
    something failed or stayed undecided, else `improved`, `same`, `unjudged` (measured, with nothing to be
    judged against yet) or `skipped` (nothing to measure); empty while it is not settled.  `reasons` are
    sentences: what is waited for, which levels are breached, or why it is no better known.  `counts` are
    series by verdict, and under `breached` those that breach a service level.
    """

    is_settled: bool
    verdict: str
    reasons: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    incident_id: int | None = None


def build_standing(*, build: Build) -> Standing:
    """How a build stands now: what a pipeline waits for."""
    if build.state == "received":
        return Standing(False, "", [f"it is not planned yet: {build.reason or 'its turn comes'}"])
    if build.state == "failed":
        return Standing(True, Verdict.Kind.UNKNOWN, [build.reason])
    counts = verdict_counts(build_ids=[build.pk]).get(build.pk, {})
    breaches = breaches_of_build(build=build)
    if breaches:
        counts = {**counts, "breached": len(breaches)}
    incident = _incident_of(build, breaches)
    if not build_is_judged(build=build):
        return Standing(False, "", _waits(build), counts, incident)
    failed = _failed(build)
    if build.state == "skipped" and not counts and not failed:
        return Standing(True, "skipped", [build.reason], counts, incident)
    told = [breach.sentence for breach in breaches[:MOST_TOLD]]
    return Standing(True, _verdict(counts, failed), told + failed + _undecided(build), counts, incident)


def _incident_of(build: Build, breaches: Sequence[Breach]) -> int | None:
    """The incident that accuses the build, else the breach of a service level that holds at it."""
    rows = Incident.objects.filter(build=build, withdrawn_at=None).exclude(kind=Incident.Kind.SERVICE)
    accusing = rows.values_list("pk", flat=True).first()
    return accusing or next((breach.incident_id for breach in breaches if breach.incident_id), None)


def _verdict(counts: dict[str, int], failed: list[str]) -> str:
    if counts.get(Verdict.Kind.REGRESSED) or counts.get("breached"):
        return Verdict.Kind.REGRESSED
    if failed or counts.get(Verdict.Kind.UNKNOWN):
        return Verdict.Kind.UNKNOWN
    for kind in (Verdict.Kind.IMPROVED, Verdict.Kind.SAME):
        if counts.get(kind):
            return kind
    return "unjudged"


def _waits(build: Build) -> list[str]:
    jobs = Job.objects.filter(run__build=build, priority__gte=0).exclude(state__in=JOB_ENDED)
    states = Counter(jobs.exclude(kind__in=(Job.Kind.SOAK, Job.Kind.PROFILE)).values_list("kind", "state"))
    doubts = Suspicion.objects.filter(build=build, state="open").count()
    told = [f"{count} {kind} jobs are {state}" for (kind, state), count in sorted(states.items())]
    if doubts:
        told.append(f"{doubts} series are suspected and wait for their comparison")
    return told or ["its results are being judged"]


def _failed(build: Build) -> list[str]:
    jobs = Job.objects.filter(run__build=build, kind=Job.Kind.MEASURE, state__in=("failed", "cancelled"))
    return [
        f"{job}: {job.state}, {job.failure or 'without a reason'}" for job in jobs.order_by("id")[:MOST_TOLD]
    ]


def _undecided(build: Build) -> list[str]:
    rows = verdicts_newest(build=build).filter(kind=Verdict.Kind.UNKNOWN).exclude(stage="screen")
    return list(rows.order_by("id").values_list("sentence", flat=True)[:MOST_TOLD])


def verdicts_newest(**where: object) -> QuerySet[Verdict]:
    """The newest verdict of every series and build that `where` (Django lookups) leaves."""
    newest = (
        Verdict.objects.filter(**where)
        .values("series_id", "build_id")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    return Verdict.objects.filter(id__in=newest)


def verdict_counts(*, build_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many series of each build got each verdict: build id -> kind -> count.

    The screen writes no verdict where it found nothing: those series count as `same`.  What it could
    not judge yet, for want of history, counts as nothing.  `suspected` awaits its comparison.
    """
    ids = list(build_ids)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    silent = _screened_counts(ids)
    rows = verdicts_newest(build_id__in=ids).values("build_id", "kind", "stage").annotate(count=Count("id"))
    for row in rows.order_by():
        build_id, kind = row["build_id"], row["kind"]
        if row["stage"] == "environment":  # the level moved, but this build's code is innocent
            kind = Verdict.Kind.SAME
        silent[build_id] -= row["count"]
        if kind != Verdict.Kind.UNKNOWN or row["stage"] != "screen":
            counts[build_id][kind] = counts[build_id].get(kind, 0) + row["count"]
    for build_id, count in _suspected_counts(ids).items():
        counts[build_id]["suspected"] = count
        silent[build_id] -= count
    for build_id, count in silent.items():
        if count > 0:
            counts[build_id]["same"] = counts[build_id].get("same", 0) + count
    return counts


def _screened_counts(build_ids: Sequence[int]) -> Counter[int]:
    """How many judged points of each build the screen has seen."""
    reports = Report.objects.filter(job__run__build_id__in=build_ids, screened_at__isnull=False, judged__gt=0)
    counts = reports.values_list("job__run__build_id").annotate(count=Sum("judged"))
    return Counter(dict(counts.order_by()))


def _suspected_counts(build_ids: Sequence[int]) -> dict[int, int]:
    """How many series of each build wait for a comparison."""
    doubts = Suspicion.objects.filter(build_id__in=build_ids, state="open")
    return dict(doubts.values_list("build_id").annotate(count=Count("id")).order_by())
