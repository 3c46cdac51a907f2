"""How a bisection ends: with a name, with a range, or before it knew."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from perfsite.regressions.bisection.search import Found, Range
from perfsite.regressions.bisection.sharing import culprit_note
from perfsite.regressions.bisection.state import Searched
from perfsite.regressions.bisection.words import (
    Commit,
    found_sentence,
    range_sentence,
    single_sentence,
    stopped_sentence,
    what_words,
)
from perfsite.regressions.events import event_append
from perfsite.regressions.models import Bisection, BisectionStep, Incident
from perfsite.regressions.signals import incident_changed
from perfsite.regressions.subjects import subject_of
from perfsite.regressions.wording import Change
from perfsite.runs.models import Build
from perfsite.runs.services import job_cancel
from perfsite.runs.states import JOB_ENDED


def search_end(*, of: Searched, answer: Found | Range) -> bool:
    """End a search with what it found; False when another task was first."""
    if isinstance(answer, Range):
        return _range_end(of, answer)
    if len(of.search.commits) == 2:  # the only commit that can matter: nothing was searched, nothing is news
        sentence = single_sentence(bad=_commit(of.accused))
        return _end(of.bisection, state="found", reason=sentence, good=of.base, bad=of.accused)
    return search_found(of=of, answer=answer)


@transaction.atomic
def search_found(*, of: Searched, answer: Found) -> bool:
    """Name the culprit; False when another task was first."""
    culprit, parent = of.build(answer.commit), of.build(answer.parent)
    sentence = found_sentence(
        good=_commit(of.base),
        bad=_commit(of.accused),
        culprit=_commit(culprit),
        parent=_commit(parent),
        change=_change(of, answer.commit),
        what=_what(of),
    )
    if not _end(of.bisection, state="found", reason=sentence, good=parent, bad=culprit, code="culprit_found"):
        return False
    culprit_note(regression=of.bisection.regression, culprit=culprit, parent=parent)
    return True


def search_stop(*, bisection: Bisection, why: str, of: Searched | None = None) -> bool:
    """End a search before it knew; what it had ordered and nobody waits for is cancelled."""
    count = len(of.search.commits) - 1 if of else 0
    values: dict[str, Any] = {}
    if of is not None:
        good, bad = of.search.bounds
        count = _count(of, good, bad)
        values = {"good": of.build(good), "bad": of.build(bad)}
    ends = values or {"good": bisection.good, "bad": bisection.bad}
    sentence = f"The bisection stopped: {why}."
    if of is not None and count:
        sentence = stopped_sentence(
            good=_commit(ends["good"]), bad=_commit(ends["bad"]), count=count, why=why, what=_what(of)
        )
    for step in BisectionStep.objects.filter(bisection=bisection, verdict="", job__isnull=False):
        if step.job is not None and step.job.state not in JOB_ENDED:
            job_cancel(job=step.job)
    return _end(bisection, state="stopped", reason=sentence, code="bisection_ended", **values)


def _range_end(of: Searched, answer: Range) -> bool:
    good, bad = of.build(answer.good), of.build(answer.bad)
    sentence = range_sentence(
        good=_commit(good),
        bad=_commit(bad),
        count=_count(of, answer.good, answer.bad),
        reason=answer.reason,
        about=[of.name(commit) for commit in answer.about],
        what=_what(of),
        exact=of.metric.exact,
    )
    return _end(of.bisection, state="range", reason=sentence, good=good, bad=bad, code="bisection_ended")


@transaction.atomic
def _end(bisection: Bisection, *, state: str, reason: str, code: str = "", **values: Build) -> bool:
    """Move the row that this caller saw, tell the incident, and wake whoever waited for the end."""
    mine = Bisection.objects.filter(pk=bisection.pk, state=bisection.state)
    if not mine.update(state=state, reason=reason, ended_at=timezone.now(), **values):
        return False
    incident = bisection.regression.incident
    if code:
        event_append(incident=incident, code=code, sentence=reason)
    transaction.on_commit(partial(incident_changed.send_robust, sender=Incident, incident_id=incident.pk))
    return True


def _commit(build: Build) -> Commit:
    return Commit(build.short, build.author_name)


def _what(of: Searched) -> str:
    return what_words(subject_of(series=of.series, build=of.accused))


def _count(of: Searched, good: int, bad: int) -> int:
    return sum(good < commit <= bad for commit in of.search.commits)


def _change(of: Searched, commit: int) -> Change:
    """The culprit's change against the good build: its own, or the confirmed one when it is the accused."""
    verdict = of.bisection.regression.verdict
    if commit not in of.steps:
        return Change(
            verdict.before, verdict.after, verdict.relative, verdict.relative_low, verdict.relative_high
        )
    step = of.steps[commit]
    relative = step.relative or 0.0
    after = verdict.before * (1 + relative)
    return Change(verdict.before, after, relative, step.relative_low, step.relative_high)
