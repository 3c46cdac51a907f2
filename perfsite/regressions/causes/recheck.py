"""Measuring an accused build again: because later points do not show its change, or a person asks for it.

Points alone take no confirmed change back: the machine may have become faster meanwhile.  So both builds
are compared once more, and `refuting` reads what that tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from statistics import median

from django.db import transaction
from django.utils import timezone

from benchmarks.cases import Case
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.confirmation.day_budget import day_spent
from perfsite.regressions.events import event_append, fact_note, incident_locked
from perfsite.regressions.grading.rules import rule_now
from perfsite.regressions.guard import guarded
from perfsite.regressions.levels import CHANGES, level_values
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.regressions.selectors import case_of, incident_is_open, regressions_ranked
from perfsite.results.models import Measurement, Report
from perfsite.runs.comparing import compare_order
from perfsite.runs.models import Job
from perfsite.runs.selectors import device_alive
from perfsite.runs.states import JOB_ENDED

PURPOSE = "recheck"
TOPIC = "recheck"  # of the incident's facts: {"job"}, and "told" once its answer is an event; or {"reason"}
RECENT = timedelta(days=30)
LATER_LEAST = 4  # points that must agree before they are worth a comparison
LATER_MOST = 8
SHARE = 0.5  # of the change: what the later points must show of it
_CODE_STAGES = ("confirmation", "screen", "pass", "triage")


class SpentError(PerfsiteError):
    """The day's device minutes are spent; another day it may be ordered."""


def rechecks_order() -> int:
    """Measure again where later points do not show the change, once an incident; returns how many."""
    rows = Incident.objects.filter(
        kind=Incident.Kind.CODE,
        state__in=("untriaged", "investigating"),  # a person who confirmed it knows better
        withdrawn_at=None,
        merged_into=None,
        opened_at__gte=timezone.now() - RECENT,
        regressions__verdict__stage="confirmation",
    ).exclude(facts__has_key=TOPIC)
    return sum(
        guarded(partial(_doubt, incident), f"looking at the points behind {incident}")
        for incident in rows.distinct().order_by("id")
    )


@transaction.atomic
def _doubt(incident: Incident) -> bool:
    worst = _worst(incident)
    if worst is None or not _is_gone(worst):
        return False
    try:
        return _order(incident_id=incident.pk, why="Later builds do not show the change") is not None
    except SpentError:
        return False  # a later sweep tries again
    except PerfsiteError as error:
        fact = {"reason": str(error)}
        return fact_note(incident=incident_locked(incident_id=incident.pk), topic=TOPIC, fact=fact)


def rechecks_tell() -> int:
    """Say what the repeated comparisons found; returns how many had ended."""
    rows = Incident.objects.filter(facts__has_key=TOPIC, facts__recheck__told=None)
    ids = list(rows.values_list("pk", flat=True))
    return sum(guarded(partial(_tell, incident_id=key), f"telling of incident {key}") for key in ids)


def incident_recheck(*, incident: Incident, actor: str) -> Job:
    """Compare the accused build of an incident with its good one again, as a person wishes.

    Raises:
        PerfsiteError: nothing was confirmed by pairs, the incident is closed, a repetition waits already,
            or nothing tells any more how to measure.
    """
    if not incident_is_open(incident=incident):
        raise PerfsiteError("only an open incident about a commit is measured again; reopen it first")
    job = _order(incident_id=incident.pk, why=f"{actor or 'A person'} asks for it", is_wish=True)
    if job is None:
        raise PerfsiteError("it is being measured again already; its page tells when that has ended")
    return job


def _is_gone(regression: Regression) -> bool:
    """Whether the points after the accused build lie nearer to the old level than to the new one."""
    first, series_id = regression.verdict, regression.series_id
    later = _later(regression)
    base = first.base.ordinal if first.base else None
    if base is None or len(later) < LATER_LEAST:
        return False
    before = level_values(series_id=series_id, base=base)
    if not before or min(*before, *later) <= 0 or first.relative <= -1 or not first.relative:
        return False
    return math.log(median(later) / median(before)) / math.log1p(first.relative) < SHARE


def _later(regression: Regression) -> Sequence[float]:
    """The first stable values behind the accused build, up to where the code changed them again."""
    place = regression.build.ordinal or 0
    changes = Verdict.objects.filter(
        series_id=regression.series_id, build__ordinal__gt=place, kind__in=CHANGES, stage__in=_CODE_STAGES
    )
    end = changes.order_by("build__ordinal").values_list("build__ordinal", flat=True).first()
    rows = Measurement.objects.filter(series_id=regression.series_id, ordinal__gt=place, unstable=False)
    if end is not None:
        rows = rows.filter(ordinal__lt=end)
    return list(rows.order_by("ordinal").values_list("value", flat=True)[:LATER_MOST])


@transaction.atomic
def _order(*, incident_id: int, why: str, is_wish: bool = False) -> Job | None:
    """Order it with the incident locked: of two tasks at once the second finds it done and gets None.

    Raises:
        PerfsiteError: it cannot be ordered, or (`SpentError`) not today.
    """
    incident = incident_locked(incident_id=incident_id)
    known = incident.facts.get(TOPIC, {})
    waits = Job.objects.filter(pk=known.get("job")).exclude(state__in=JOB_ENDED).exists()
    if waits or (known and not is_wish):
        return None
    worst = _worst(incident)
    case = case_of(verdict=worst.verdict) if worst else None
    if worst is None or case is None or worst.verdict.job is None:
        raise PerfsiteError("the comparison that confirmed it is gone, so nothing tells how to measure")
    spec = worst.verdict.job.spec
    if spent := day_spent(project_id=incident.project_id, spec=spec, now=timezone.now()):
        raise SpentError(spent)
    job = _comparison_order(incident, worst, case)
    base = worst.verdict.base or incident.range_start
    sentence = f"{why}: {base.short} and {worst.build.short} are compared once more."
    event_append(incident=incident, code=TOPIC, sentence=sentence)
    fact_note(incident=incident, topic=TOPIC, fact={"job": job.pk, "told": None})
    return job


def _worst(incident: Incident) -> Regression | None:
    """The worst regression that pairs confirmed."""
    rows = regressions_ranked(incident=incident)
    return next((row for row in rows if row.verdict.stage == "confirmation"), None)


def _comparison_order(incident: Incident, worst: Regression, case: Case) -> Job:
    """Compare both builds by the project's rule, with pairs enough to contradict the first ones."""
    first, rule = worst.verdict, rule_now(project_id=incident.project_id)
    return compare_order(
        base=first.base or incident.range_start,
        build=worst.build,
        device_class=worst.series.device_class,
        pin=device_alive(job=first.job) if first.job else "",
        model=worst.series.model,
        precision=worst.series.precision,
        watch=[(case, worst.series.metric)],
        purpose=PURPOSE,
        max_pairs=max(rule["max_pairs"], first.evidence.get("pairs", 0)),
        alpha=rule["alpha"],
        relevant=rule["relevant"],
    )


@transaction.atomic
def _tell(*, incident_id: int) -> bool:
    """Append what the repetition found, once; what it refutes is withdrawn by `closing`."""
    incident = incident_locked(incident_id=incident_id)
    fact = incident.facts[TOPIC]
    job = Job.objects.filter(pk=fact.get("job"), state__in=JOB_ENDED).select_related("report").first()
    if job is None or fact.get("told") is not None:
        return False
    report = getattr(job, "report", None)
    told = _told(report) if report else job.failure
    sentence = f"Measured again: {told or f'the job ended {job.state} and told nothing'}"
    event_append(incident=incident, code="rechecked", sentence=sentence)
    return fact_note(incident=incident, topic=TOPIC, fact={**fact, "told": sentence})


def _told(report: Report) -> str:
    """What the repetition's first comparison says, else why there is none."""
    sentences = [row["sentence"] for row in report.comparisons]
    return next((words for words in (*sentences, *(row["reason"] for row in report.outcomes)) if words), "")
