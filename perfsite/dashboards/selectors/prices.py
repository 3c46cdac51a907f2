"""What a change costs: the money that the same work takes more, or less, by the hour of a device."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Case, F, FloatField, Value, When
from django.db.models.expressions import Combinable

from benchmarks.metrics import METRICS
from perfsite.runs.models import Worker

# a time from which on a tenth matters is taken once a job: nobody pays for it by the hour
_ONCE = 0.10
_PER_SPACE = "_per_mebibyte"
_PAID = [
    row
    for row in METRICS.values()
    if row.unit in ("s", "1/s") and row.better and row.relevant < _ONCE and not row.name.endswith(_PER_SPACE)
]
_LOWER = [row.name for row in _PAID if row.better == "lower"]
_HIGHER = [row.name for row in _PAID if row.better == "higher"]
_LEAST = -0.99  # a rate that fell by more would cost without end


def prices_known() -> dict[str, float]:
    """What an hour of a device of each class costs, the dearest where its workers differ, in any currency.

    A worker says it when it was started with a price.
    """
    found: dict[str, float] = {}
    for device_class, facts in Worker.objects.values_list("device_class", "facts"):
        price = facts.get("price_per_hour")
        if isinstance(price, int | float) and price > 0:
            found[device_class] = max(float(price), found.get(device_class, 0.0))
    return found


def cost_of(prices: Mapping[str, float]) -> Combinable:
    """A verdict's cost in money per device hour: what the same work takes more; null where nobody can say.

    A time that is a tenth longer costs a tenth of the hour, a rate that is a tenth lower a ninth.
    """
    more = Case(
        When(series__metric__in=_LOWER, then=F("relative")),
        When(series__metric__in=_HIGHER, relative__gt=_LEAST, then=Value(1.0) / (F("relative") + 1.0) - 1.0),
        output_field=FloatField(),
    )
    known = [When(series__device_class=name, then=Value(price)) for name, price in prices.items()]
    return more * Case(*known, output_field=FloatField())
