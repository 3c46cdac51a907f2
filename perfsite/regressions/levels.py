"""Where the levels of a series begin: the one truth behind `SeriesState.level_start`.

A level begins at a build whose newest verdict in the series is a change (regressed or improved, at whatever
stage).  A newer `same` about that build, from another comparison or from a person who refuted it, takes the
beginning back; nothing is edited.
"""

from __future__ import annotations

from django.db.models import Q

from perfsite.regressions.models import SeriesState, Verdict
from perfsite.results.models import Measurement

CHANGES = (Verdict.Kind.REGRESSED, Verdict.Kind.IMPROVED)

# a level's newest points tell what it is; older ones may have wandered
_LEVEL_POINTS = 30


def level_starts(*, series_id: int) -> list[int]:
    """The ordinals at which levels begin, in branch order."""
    newest: dict[int, str] = {}
    rows = Verdict.objects.filter(series_id=series_id, build__ordinal__isnull=False).exclude(
        # what the screen could not judge, or a comparison not decide, takes no earlier verdict back
        kind=Verdict.Kind.UNKNOWN
    )
    for ordinal, kind in rows.order_by("id").values_list("build__ordinal", "kind"):
        newest[ordinal or 0] = kind
    return sorted(ordinal for ordinal, kind in newest.items() if kind in CHANGES)


def level_rebase(*, series_id: int) -> None:
    """Set a series' level to what the verdicts tell; an empty `screen` asks the screen to rebuild itself.

    What the series' noise is does not change: the rebuilt state reads the same points.
    """
    starts = level_starts(series_id=series_id)
    state = SeriesState.objects.filter(series_id=series_id)
    through = state.values_list("screened_through", flat=True).first() or 0
    start = max((place for place in starts if place <= through), default=0)
    state.update(level_start=start, screen={})


def level_values(*, series_id: int, base: int, samples: int = 1) -> list[float]:
    """The level that ends at the ordinal `base`: its newest values first, only stable ones if there are."""
    start = max((place for place in level_starts(series_id=series_id) if place <= base), default=0)
    points = Measurement.objects.filter(
        series_id=series_id, ordinal__gte=start, ordinal__lte=base, n__gte=samples
    )
    return _values(points.order_by("-ordinal").values_list("value", "unstable")[:_LEVEL_POINTS])


def values_since(*, series_id: int, ordinal: int, most: int, samples: int = 1) -> list[float]:
    """The first `most` values from a place on, up to where the next level begins, in branch order."""
    later = [place for place in level_starts(series_id=series_id) if place > ordinal]
    bound = Q(ordinal__lt=later[0]) if later else Q()
    points = Measurement.objects.filter(bound, series_id=series_id, ordinal__gte=ordinal, n__gte=samples)
    return _values(points.order_by("ordinal").values_list("value", "unstable")[:most])


def _values(rows: object) -> list[float]:
    pairs = list(rows)  # type: ignore[call-overload]
    stable = [value for value, unstable in pairs if not unstable]
    return stable or [value for value, _ in pairs]
