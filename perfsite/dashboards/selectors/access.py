"""The one thing a page is about, for a reader who may see it; the rule itself is `access.readers`."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from perfsite.access.readers import rows_seen
from perfsite.core.errors import NotFoundError
from perfsite.regressions.models import Incident
from perfsite.results.models import Artifact, Series
from perfsite.runs.models import Job, Project, Run

Row = TypeVar("Row", bound=Model)


def projects_readable(*, request: HttpRequest) -> QuerySet[Project]:
    """The projects this reader may see, by name."""
    return rows_seen(request, Project.objects.order_by("name"), project="")


def _row_get(request: HttpRequest, rows: QuerySet[Row], *, project: str, sentence: str, **wanted: Any) -> Row:
    """The row wanted; `sentence` is what a reader is told when there is none for them."""
    row = rows_seen(request, rows, project=project).filter(**wanted).first()
    if row is None:
        raise NotFoundError(sentence)
    return row


def project_get(*, request: HttpRequest, slug: str) -> Project:
    """One project.

    Raises:
        NotFoundError: there is none of that name, or not for this reader: the two look alike.
    """
    sentence = f"There is no project {slug!r} here. The list of projects is on the first page."
    return _row_get(request, Project.objects.all(), project="", sentence=sentence, slug=slug)


def series_get(*, request: HttpRequest, pk: int) -> Series:
    """One series with its project.

    Raises:
        NotFoundError: there is none of that number, or not for this reader.
    """
    sentence = f"There is no series {pk} here. Its project's Trends page lists those that are."
    rows = Series.objects.select_related("project")
    return _row_get(request, rows, project="project", sentence=sentence, pk=pk)


def run_get(*, request: HttpRequest, pk: int) -> Run:
    """One run with its build and project.

    Raises:
        NotFoundError: there is none of that number, or not for this reader.
    """
    sentence = f"There is no run {pk} here. Its project's Builds page lists those that are."
    rows = Run.objects.select_related("build__project")
    return _row_get(request, rows, project="build__project", sentence=sentence, pk=pk)


def job_get(*, request: HttpRequest, pk: int) -> Job:
    """One job with its run, build and project.

    Raises:
        NotFoundError: there is none of that number, or not for this reader.
    """
    sentence = f"There is no job {pk} here. Its run's page lists those that are."
    rows = Job.objects.select_related("run__build__project")
    return _row_get(request, rows, project="run__build__project", sentence=sentence, pk=pk)


def artifact_get(*, request: HttpRequest, pk: int) -> Artifact:
    """One stored file.

    Raises:
        NotFoundError: there is none of that number, or not for this reader.
    """
    sentence = f"There is no file {pk} here. The run's page lists the files that were kept."
    path = "job__run__build__project"
    return _row_get(request, Artifact.objects.all(), project=path, sentence=sentence, pk=pk)


def incident_get(*, request: HttpRequest, slug: str, pk: int) -> Incident:
    """One incident with its builds and project.

    Raises:
        NotFoundError: there is none of that number in the project, or not for this reader.
    """
    sentence = f"There is no incident {pk} in {slug}. Its Incidents page lists those that are."
    rows = Incident.objects.select_related("project", "build", "range_start", "culprit")
    rows = rows.filter(project__slug=slug)
    return _row_get(request, rows, project="project", sentence=sentence, pk=pk)
