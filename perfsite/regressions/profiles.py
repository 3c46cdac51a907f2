"""A profile of both builds, ordered once an incident has a confirmed regression of inference time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.bisection.state import measure_job
from perfsite.regressions.confirmation.day_budget import day_spent
from perfsite.regressions.events import event_append, fact_note, incident_locked
from perfsite.regressions.guard import guarded
from perfsite.regressions.incident_states import ACCUSING_STATES
from perfsite.regressions.models import Incident, Regression, Suspicion
from perfsite.regressions.selectors import case_of, regressions_ranked
from perfsite.runs.comparing import profile_order
from perfsite.runs.selectors import device_alive

TOPIC = "profile"  # of the incident's facts: {"job", "case"}, or {"reason"} where none can be taken
PRIORITY = 5  # behind every commit, before soaks
RECENT = timedelta(days=3)
# where the time of one inference is what is measured: a profile tells nothing about memory or a build
SUITES = frozenset(
    {"latency", "throughput", "server", "concurrency", "mixed", "generation", "sweep", "scaling", "energy"}
)


def profiles_order() -> int:
    """Order the profile of each incident that lacks one; returns how many were settled.

    Once per incident, of its worst confirmed regression when nothing is suspected of the build any more,
    and only while the day's budget for comparisons lasts; a later sweep tries again.
    """
    fresh = Incident.objects.exclude(facts__has_key=TOPIC).filter(
        kind=Incident.Kind.CODE,
        state__in=ACCUSING_STATES,
        withdrawn_at=None,
        opened_at__gte=timezone.now() - RECENT,
        regressions__verdict__stage="confirmation",
        regressions__series__suite__in=SUITES,
    )
    return sum(
        guarded(partial(_order, incident_id=incident_id), f"ordering the profile of incident {incident_id}")
        for incident_id in fresh.order_by("id").values_list("pk", flat=True).distinct()
    )


@transaction.atomic
def _order(*, incident_id: int) -> bool:
    """Order it with the incident locked: of two tasks at once the second finds it done."""
    incident = incident_locked(incident_id=incident_id)
    worst = _worst(incident)
    if TOPIC in incident.facts or worst is None:
        return False
    if Suspicion.objects.filter(build=incident.build, state="open").exists():
        return False  # a worse one may join it
    like, case = measure_job(regression=worst, build=incident.build), case_of(verdict=worst.verdict)
    if like is None or case is None:
        gone = "the job that says how to measure it is gone"
        return fact_note(incident=incident, topic=TOPIC, fact={"reason": gone})
    if day_spent(project_id=incident.project_id, spec=like.spec, now=timezone.now()):
        return False
    base, series = worst.verdict.base or incident.range_start, worst.series
    try:
        job = profile_order(
            base=base,
            build=incident.build,
            device_class=series.device_class,
            pin=device_alive(job=worst.verdict.job or like),
            model=series.model,
            precision=series.precision,
            cases=[case],
            like=like,
            priority=PRIORITY,
        )
    except PerfsiteError as error:
        return fact_note(incident=incident, topic=TOPIC, fact={"reason": str(error)})
    sentence = f"A profile of {base.short} and {incident.build.short} was ordered: {case.label}."
    event_append(incident=incident, code=TOPIC, sentence=sentence)
    return fact_note(incident=incident, topic=TOPIC, fact={"job": job.pk, "case": case.label})


def _worst(incident: Incident) -> Regression | None:
    """The worst confirmed regression that a profile can tell about."""
    rows = regressions_ranked(incident=incident)
    able = (row for row in rows if row.series.suite in SUITES and row.verdict.stage == "confirmation")
    return next(able, None)
