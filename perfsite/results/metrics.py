"""Metrics as the site needs them: the row of a name, or none, and which names are judged."""

from __future__ import annotations

from benchmarks.metrics import EVALUATE, METRICS, Metric, metric_get

JUDGED = frozenset(name for name, row in METRICS.items() if row.better is not None)
# whatever a repository's own `evaluate` returns is judged: its direction is part of its name
JUDGED_PREFIXES = tuple(f"{EVALUATE}.{better}." for better in ("lower", "higher"))


def metric_row(name: str) -> Metric | None:
    """The row of a metric; None for one that this release does not know: old rows stay readable."""
    try:
        return metric_get(name)
    except ValueError:
        return None


def metric_is_judged(name: str) -> bool:
    """Whether a change of the metric is good or bad, and not only a description."""
    row = metric_row(name)
    return row is not None and row.better is not None
