"""What changed inside, for a message: where the change came from, and the layers that moved most."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from perfsite.regressions.layers import LayerRow, LayersShown, layers_shown
from perfsite.regressions.models import Attribution, Incident, Regression, Verdict
from perfsite.regressions.wording import Change, change_words

# the page has the rest
MOST_LAYERS = 3
# what the time of one layer is a part of
_OF_INFERENCE = frozenset(
    {
        "cpu_time_p50",
        "gpu_compute_time_p50",
        "gpu_compute_time_p99",
        "latency_p50",
        "latency_p90",
        "latency_p99",
        "throughput",
    }
)

log = logging.getLogger(__name__)


def inside_of(verdict: Verdict) -> tuple[str, ...]:
    """What the change is made of, as far as it was attributed: each part with its share."""
    key = verdict.evidence.get("refuted", verdict.pk) if verdict.stage == "environment" else verdict.pk
    found = Attribution.objects.filter(verdict_id=key).first()
    if found is None:
        return ()
    return tuple(
        f"{part['cause']}: {change_words(Change(0, 0, part['relative'], part['low'], part['high']))}"
        for part in found.parts
        if part["relative"] is not None
    )


def layers_known(*, incident: Incident, worst: Regression) -> LayersShown | None:
    """The layers of the worst regression as the incident's page has them; None where nothing is known.

    A message does not wait for a profile, so these are those that are known by now.
    """
    try:
        return layers_shown(incident=incident, worst=worst)
    except Exception:  # whatever is wrong with the files must not hold the message
        log.exception("the layers of incident %s cannot be told", incident.pk)
        return None


def layer_largest(shown: LayersShown | None, *, worst: Regression) -> Mapping[str, str]:
    """The cells of the layer that moved most; empty unless the worst regression is of its time."""
    if shown is None or not shown.rows or not shown.about_series:
        return {}
    return vars(shown.rows[0]) if worst.series.metric in _OF_INFERENCE else {}


def layers_told(shown: LayersShown | None) -> tuple[str, ...]:
    """The layers that moved most, a line each."""
    if shown is None or not shown.rows:
        return ()
    left = len(shown.rows) - MOST_LAYERS + shown.more
    lines = [f"Layers: {shown.source}"] if shown.source else []
    lines += [*map(_row_words, shown.rows[:MOST_LAYERS]), *shown.sentences[:1]]
    return (
        (*lines, f"and {left} more layer{'s' if left > 1 else ''} on the page") if left > 0 else tuple(lines)
    )


def _row_words(row: LayerRow) -> str:
    """`block.3: 200 µs → 800 µs, +600 µs (75 %); kernel winograd → direct`."""
    times = f"{row.before} → {row.after}" if row.before and row.after else row.before or row.after
    share = f" ({row.share} of the change)" if row.share else ""
    moved = ", ".join(filter(None, (times, row.change))) + share
    return f"{row.names}: {'; '.join(filter(None, (moved, row.differs)))}"
