"""Reads of pull requests: what their comparisons said, and what is still to be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from benchmarks.cases import Case
from perfsite.pulls.models import PullHead, PullRequest
from perfsite.pulls.table import Outcome, Row, row_make
from perfsite.runs.budget import PULL
from perfsite.runs.models import Job, Project
from perfsite.runs.states import JOB_ENDED


def pulls_list(*, project: Project) -> QuerySet[PullRequest]:
    """A project's pull requests with their heads, the open ones and the newest first."""
    heads = PullHead.objects.select_related("base", "build").order_by("-received_at", "-id")
    rows = PullRequest.objects.filter(project=project).prefetch_related(Prefetch("heads", heads))
    return rows.order_by("-is_open", "-number")


def head_jobs(*, heads: Sequence[PullHead]) -> dict[int, list[Job]]:
    """The comparisons of each head by its id, with their reports, in one query.

    Those with the merge base that it has now: one that it had before says nothing any more.
    """
    by_build = {head.build_id: head for head in heads if head.build_id}
    jobs = Job.objects.filter(run__build_id__in=list(by_build), spec__purpose=PULL)
    found: dict[int, list[Job]] = {head.pk: [] for head in heads}
    for job in jobs.select_related("report", "run").order_by("id"):
        head = by_build[job.run.build_id]
        if job.spec["base"] == head.base_id:
            found[head.pk].append(job)
    return found


def outcome_of(*, head: PullHead, jobs: Sequence[Job]) -> Outcome:
    """What the head's comparisons said so far."""
    ended = [job for job in jobs if job.state in JOB_ENDED]
    return Outcome(
        rows=tuple(row for job in ended for row in _rows(job)),
        open=len(jobs) - len(ended),
        ended=len(ended),
        missing=tuple(text for job in ended for text in _missing(job)),
        reason=head.reason,
        limit=head.limit,
        state=head.state,
    )


def _rows(job: Job) -> Iterator[Row]:
    watched = {(index, metric) for index, metric in job.spec["watch"]}
    places = {Case.model_validate(case): place for place, case in enumerate(job.spec["cases"])}
    for comparison in job.report.comparisons if hasattr(job, "report") else ():
        case = Case.model_validate(comparison["case"])
        decides = (places.get(case), comparison["metric"]) in watched
        row = row_make(comparison, device_class=job.device_class, label=case.label, decides=decides)
        if row is not None:
            yield row


def _missing(job: Job) -> Iterator[str]:
    if not hasattr(job, "report"):
        why = job.failure or f"its job ended {job.state}"
        yield f"{job.model}/{job.precision} on {job.device_class}: {why}"
        return
    for outcome in job.report.outcomes:
        if outcome["status"] != "done":
            label = Case.model_validate(outcome["case"]).label
            yield f"{label} on {job.device_class}: {outcome['reason'] or outcome['status']}"


def pull_url(*, pull: PullRequest) -> str:
    """The pull request's page on this site."""
    return f"{settings.SITE_URL}/projects/{pull.project.slug}/pulls/{pull.forge}/{pull.number}/"
