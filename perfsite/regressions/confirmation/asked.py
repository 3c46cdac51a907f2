"""What a person asks or says about one point: compare it, or call it a change."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.regressions.changes import data_digest, subject_of, verdict_append, verdict_record
from perfsite.regressions.levels import CHANGES
from perfsite.regressions.models import SeriesState, Suspicion, Verdict
from perfsite.regressions.wording import Change, change_sentence
from perfsite.results.metrics import metric_row
from perfsite.results.models import Measurement, Series
from perfsite.runs.backfill import MOST_BUILDS, Backfill, backfill_order
from perfsite.runs.models import Build

DETECTOR = "person/1"
STAGE = "person"


def point_pair(*, series: Series, build_id: int) -> tuple[Measurement, Measurement]:
    """A point of a series and the one before it.

    Raises:
        NotFoundError: the build has no point here, or it is the first one.
    """
    points = Measurement.objects.filter(series=series).select_related("build", "job")
    point = points.filter(build_id=build_id).first()
    if point is None:
        raise NotFoundError(f"Build {build_id} has no point in series {series.pk}.")
    before = points.filter(ordinal__lt=point.ordinal).order_by("-ordinal").first()
    if before is None:
        raise NotFoundError(f"{point.build.short} is the first point of its series: there is none before it.")
    return before, point


def comparison_ask(*, series: Series, build_id: int, actor: str) -> Suspicion:
    """Open a suspicion about a build on a person's wish: its comparison with the build before is ordered.

    Raises:
        NotFoundError: the build has no point here, or none before it.
        PerfsiteError: it was suspected before, or another point of the series still waits for its answer.
    """
    before, point = point_pair(series=series, build_id=build_id)
    known = Suspicion.objects.filter(series=series, build_id=build_id).first()
    if known is not None:
        word = "waits for its comparison" if known.state == "open" else "was compared already"
        raise PerfsiteError(f"{point.build.short} {word}: its verdict is in the table of change points")
    evidence = {
        "before": before.value,
        "after": point.value,
        "relative": point.value / before.value - 1 if before.value else 0.0,
        "asked_by": actor,
    }
    try:
        with transaction.atomic():
            made = Suspicion.objects.create(
                series=series, build=point.build, base=before.build, trigger=point.job, evidence=evidence
            )
            _screen_forget(series)
    except IntegrityError:
        raise PerfsiteError(
            "another point of this series waits for its comparison; ask again when that has its answer"
        ) from None
    return made


@transaction.atomic
def change_mark(*, series: Series, build_id: int, actor: str) -> Verdict:
    """Record that a person calls a point a change: worse or better by the metric's direction.

    Raises:
        NotFoundError: the build has no point here, or none before it.
        PerfsiteError: the metric has no direction, or the value did not move.
    """
    before, point = point_pair(series=series, build_id=build_id)
    row = metric_row(series.metric)
    if row is None or row.better is None:
        raise PerfsiteError("this metric only describes: no change of it is good or bad")
    if point.value == before.value or not before.value:
        raise PerfsiteError(f"the value of {point.build.short} is that of the build before: nothing to mark")
    change = Change(before.value, point.value, point.value / before.value - 1)
    is_worse = (change.relative > 0) == (row.better == "lower")
    subject = subject_of(series=series, build=point.build)
    verdict = verdict_record(
        series=series,
        build=point.build,
        base=before.build,
        job=point.job,
        change=change,
        kind=Verdict.Kind.REGRESSED if is_worse else Verdict.Kind.IMPROVED,
        stage=STAGE,
        sentence=f"{change_sentence(subject, change)}. Marked by {actor}.",
        detector=DETECTOR,
        data_sha256=data_digest([before.value], [point.value]),
    )
    _screen_forget(series)
    return verdict


def mark_of(*, series: Series, build_id: int) -> Verdict | None:
    """The mark that a person made of a point and nobody took back, where it is the newest word about it."""
    known = Verdict.objects.filter(series=series, build_id=build_id).select_related("build")
    newest = known.order_by("-id").first()
    is_mark = newest is not None and newest.stage == STAGE and newest.kind != Verdict.Kind.SAME
    return newest if is_mark else None


@transaction.atomic
def mark_undo(*, series: Series, build_id: int, actor: str) -> Verdict:
    """Take a person's mark back: a verdict `same` follows it, and its incident is withdrawn if nothing else
    is in it.

    Raises:
        ConflictError: the newest word about this point is no mark, or the service found a change there
            itself, which stays.
    """
    newest = mark_of(series=series, build_id=build_id)
    if newest is None:
        raise ConflictError(f"nobody's mark stands on build {build_id} of series {series.pk}")
    known = Verdict.objects.filter(series=series, build_id=build_id)
    if known.exclude(stage=STAGE).filter(kind__in=CHANGES).exists():
        raise ConflictError(
            f"the service found a change at {newest.build.short} itself; triage its incident instead"
        )
    verdict = verdict_append(
        series=series,
        build=newest.build,
        base=newest.base,
        job=newest.job,
        change=Change(newest.before, newest.after, newest.relative),
        kind=Verdict.Kind.SAME,
        stage=STAGE,
        sentence=f"{actor} took the mark of {newest.build.short} back.",
        detector=DETECTOR,
        data_sha256=newest.data_sha256,
    )
    _screen_forget(series)
    return verdict


def between_measure(*, series: Series, build_id: int) -> Backfill:
    """Order the commits between a point and the one before it: the one that moved it then shows.

    Raises:
        NotFoundError: the build has no point here, or none before it.
        PerfsiteError: no commit lies between, or none of them can be measured.
    """
    before, point = point_pair(series=series, build_id=build_id)
    between = Build.objects.filter(
        project=series.project, branch=series.branch, ordinal__gt=before.ordinal, ordinal__lt=point.ordinal
    )
    builds = list(between.order_by("ordinal")[:MOST_BUILDS])
    if not builds:
        raise PerfsiteError(
            "no commit lies between this build and the one before it: there is nothing to search"
        )
    done = backfill_order(project=series.project, builds=builds)
    if done.refused and not done.jobs:
        raise PerfsiteError(done.refused[0][1])
    return done


def _screen_forget(series: Series) -> None:
    """Have the screen rebuild what it remembers of a series from the rows, which a person just changed."""
    SeriesState.objects.filter(series=series).update(screen={})
