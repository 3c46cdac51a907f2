"""A run: its ladder, its jobs live, what it measured, how to do it again at home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from perfsite.core.errors import NotFoundError
from perfsite.dashboards.selectors.access import artifact_get, job_get, run_get
from perfsite.dashboards.selectors.builds import build_rows
from perfsite.dashboards.selectors.jobs import job_stages, live_job, run_jobs, run_ladder
from perfsite.dashboards.selectors.verdicts import verdict_counts, verdicts_newest
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.results.selectors import previous_values, run_points
from perfsite.runs import services
from perfsite.runs.models import Job, Run
from perfsite.runs.reproduce import reproduce_lines
from perfsite.runs.selectors import build_may_be_measured, file_url
from perfsite.runs.states import JOB_ENDED


@require_safe
@page
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """The run's page."""
    found = run_get(request=request, pk=pk)
    jobs = run_jobs(run=found)
    context = {
        **_live_context(found, jobs),
        "project": found.build.project,
        "tab": "builds",
        "may_measure": build_may_be_measured(build=found.build),
        "row": build_rows(builds=[found.build])[0],
        "points": _point_rows(found),
        "files": [artifact for job in jobs for artifact in job.artifacts.all()],
        "environments": _environments(jobs),
        "reproduce": [
            (
                job,
                reproduce_lines(
                    job.spec, sha=found.build.sha, repo=found.build.project.repo, file=file_url(found.build)
                ),
            )
            for job in jobs
        ],
        "remarks": [remark for job in jobs if hasattr(job, "report") for remark in job.report.remarks],
    }
    return page_render(request, "dashboards/run.html", context, tables=lambda: [_table(context["points"])])


def _table(points: list[tuple[Any, float | None, Any]]) -> Table:
    """What the run measured, values in each metric's own unit."""
    columns = (
        "series",
        "case",
        "metric",
        "value",
        "ci_low",
        "ci_high",
        "n",
        "unstable",
        "relative",
        "verdict",
    )
    rows = [
        (
            point.series_id, point.series.case_label, point.series.metric, point.value, point.ci_low,
            point.ci_high, point.n, point.unstable, relative, verdict.kind if verdict else None,
        )
        for point, relative, verdict in points
    ]  # fmt: skip
    return Table("points", columns, rows)


@require_safe
@page
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The moving part of the page; when the run has ended the whole page is asked for once more."""
    found = run_get(request=request, pk=pk)
    context = _live_context(found, run_jobs(run=found))
    if not context["is_live"]:
        return HttpResponseClientRefresh()
    return render(request, "dashboards/parts/run_live.html", context)


def _live_context(found: Run, jobs: list[Job]) -> dict[str, Any]:
    verdicts = verdict_counts(build_ids=[found.build_id]).get(found.build_id, {})
    ended = [job for job in jobs if job.state in JOB_ENDED]
    return {
        "run": found,
        "build": found.build,
        "ladder": run_ladder(run=found, jobs=jobs, verdicts=verdicts),
        "jobs": [(live_job(job), job_stages(job)) for job in jobs],
        "is_live": len(ended) < len(jobs),
        "may_repeat": any(job.state in ("failed", "cancelled") for job in jobs),
    }


def _point_rows(found: Run) -> list[tuple[Any, float | None, Any]]:
    """What the run measured: each point with its change against the build before, and its verdict."""
    points = list(run_points(run_id=found.pk))
    before = previous_values(points=points)
    # the screen says "unknown" where history is still too short: that is no verdict to show
    told = verdicts_newest(build_id=found.build_id).exclude(kind="unknown", stage="screen")
    verdicts = {row.series_id: row for row in told}
    rows = []
    for point in points:
        old = before.get(point.series_id)
        rows.append((point, point.value / old - 1 if old else None, verdicts.get(point.series_id)))
    return rows


def _environments(jobs: list[Job]) -> list[Any]:
    """The environments the run's jobs measured in, each once."""
    found = {job.report.environment_id: job.report.environment for job in jobs if hasattr(job, "report")}
    return [(row, sorted(row.facts.items())) for row in found.values()]


@require_safe
@page
def artifact(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A stored file, always as a download: what a watched repository made is never shown as a page."""
    found = artifact_get(request=request, pk=pk)
    try:
        opened = found.file.open("rb")
    except OSError:
        raise NotFoundError(f"The content of {found.name} is not stored any more.") from None
    return FileResponse(opened, as_attachment=True, filename=found.name)


def _writer(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A write: by POST, by people who are logged in."""
    return require_POST(login_required(page(view)))


@_writer
def run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel what has not ended."""
    found = run_get(request=request, pk=pk)
    services.run_cancel(run=found)
    messages.info(request, "Cancelled. A job that runs stops at its next heartbeat.")
    return redirect("run", pk)


@_writer
def run_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue the failed and cancelled jobs once more."""
    found = run_get(request=request, pk=pk)
    count = services.run_again(run=found)
    messages.info(request, f"Queued again: {count} of the run's jobs.")
    return redirect("run", pk)


@_writer
def job_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel one job."""
    job = job_get(request=request, pk=pk)
    services.job_cancel(job=job)
    messages.info(
        request, f"Cancelled {job.model}/{job.precision}. If it runs, it stops at its next heartbeat."
    )
    return redirect("run", job.run_id)


@_writer
def job_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue one job once more."""
    job = job_get(request=request, pk=pk)
    queued = services.job_again(job=job)
    said = "Queued again" if queued else "Not queued: it has neither failed nor been cancelled"
    messages.info(request, f"{said}: {job.model}/{job.precision}.")
    return redirect("run", job.run_id)
