"""What the database has counted, as Prometheus counters: for `rate()` and `increase()`.

Every series that there can be is told from the start, at nought: `increase()` does not see a step from
nothing to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client.core import CounterMetricFamily

from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.services import ENDS
from perfsite.core.tallies import tallies_of
from perfsite.runs.lease import LOSSES
from perfsite.webhooks.forges import FORGES
from perfsite.webhooks.views import STATUSES


@dataclass(frozen=True)
class Counted:
    """A counter `perfsite_<name>_total`, and which values each of its labels has."""

    name: str
    told: str
    labels: dict[str, Sequence[str]]


COUNTERS = (
    Counted("leases_lost", "attempts taken from their worker, by why", {"reason": LOSSES}),
    Counted(
        "notifications_ended",
        "notifications that were sent, failed for good or may have gone out",
        {"channel": (*CHANNELS, "none"), "state": ENDS},
    ),
    Counted(
        "webhook_answers",
        "answers to deliveries of projects that there are",
        {"forge": tuple(FORGES), "status": [str(status) for status in STATUSES]},
    ),
)


def counters() -> Iterator[CounterMetricFamily]:
    """Every counter."""
    for one in COUNTERS:
        names = list(one.labels)
        counts = dict.fromkeys(product(*one.labels.values()), 0)
        counts |= {tuple(labels[name] for name in names): count for labels, count in tallies_of(one.name)}
        family = CounterMetricFamily(f"perfsite_{one.name}", one.told, labels=names)
        for values, count in counts.items():
            family.add_metric(list(values), count)
        yield family
