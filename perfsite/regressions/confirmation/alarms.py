"""How many false verdicts are to be expected of a day's comparisons, and the error rate that keeps to it.

A comparison of equal builds tells a change with probability at most its alpha.  So the sum of the alphas of
all suspicions that were asked about bounds the expected number of false verdicts, and of incidents, however
their series depend on each other (Bonferroni 1936).  Half of a day's budget is spent at the rule's own alpha;
of what is left then each comparison gets a twentieth (alpha spending; Foster and Stine 2008): a bad day makes
the later questions stricter, never impossible, and the sum stays within the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from perfsite.regressions.detection import Budget
from perfsite.regressions.models import Suspicion
from perfsite.runs.models import Job

ALARMS_PER_DAY = 0.2
_LATER = 20  # of what is left of the budget, one part for each later comparison
_LEAST = 1e-9  # an alpha that is left when the budget was lowered in the middle of a day


@dataclass(frozen=True)
class Alarms:
    """Suspicions that were `asked` about, and how many `expected` false verdicts that allows at most."""

    asked: int
    expected: float


def alarms_spent(*, project_id: int, since: datetime) -> Alarms:
    """What a project's suspicions of that time allow: those that pairs were ordered for, however it ended."""
    asked = Suspicion.objects.filter(
        Q(opened_at__gte=since) | Q(job__created_at__gte=since),
        series__project_id=project_id,
        job__kind=Job.Kind.COMPARE,
    )
    alphas = [alpha or Budget.alpha for alpha in asked.values_list("job__spec__alpha", flat=True)]
    return Alarms(len(alphas), sum(alphas))


def alarms_today(*, project_id: int, now: datetime) -> Alarms:
    """The same since midnight UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return alarms_spent(project_id=project_id, since=midnight)


def alarms_allowed(spec: Mapping[str, Any]) -> float:
    """The expected false verdicts a day that the project allows; `spec` is a measure job's order."""
    return float(spec.get("confirmation", {}).get("false_alarms_per_day", ALARMS_PER_DAY))


def alpha_allowed(
    alpha: float, *, questions: int, project_id: int, spec: Mapping[str, Any], now: datetime
) -> float:
    """The rule's `alpha`, or less where a comparison of so many suspicions would overspend the day."""
    budget = alarms_allowed(spec)
    left = budget - alarms_today(project_id=project_id, now=now).expected
    if questions * alpha <= left - budget / 2.0:
        return alpha
    return min(alpha, max(left / max(_LATER, questions), _LEAST))
