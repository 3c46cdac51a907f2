"""The API's order to measure builds after the event."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Schema, Status

from perfsite.access.auth import WRITERS
from perfsite.access.readers import row_seen
from perfsite.core.errors import PerfsiteError
from perfsite.runs.backfill import Wish, backfill_order, builds_placed
from perfsite.runs.models import Build, Project

router = Router(tags=["builds"])


class BackfillIn(Schema):
    """Which builds to measure: by id, or every one of a branch from ordinal `first` to `last`.

    An empty `branch` is the project's; an empty `device_class` or `model` is whatever the commit's
    `perfsite.toml` says.
    """

    builds: list[int] = []
    first: int | None = None
    last: int | None = None
    branch: str = ""
    device_class: str = ""
    model: str = ""


class RefusedOut(Schema):
    """A build that cannot be measured, and why."""

    build_id: int
    sha: str
    reason: str


class BackfillOut(Schema):
    """How many jobs were queued; what was measured or waits already is not queued again."""

    jobs: int
    refused: list[RefusedOut]


class Problem(Schema):
    """Why an order could not be taken."""

    detail: str


@router.post("/projects/{slug}/backfill", response={200: BackfillOut, 422: Problem}, auth=WRITERS)
def backfill(request: HttpRequest, slug: str, body: BackfillIn) -> Status:
    """Measure builds that were skipped, or never measured on a device class."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    try:
        builds = _builds(project, body)
        wish = Wish(device_class=body.device_class, model=body.model)
        done = backfill_order(project=project, builds=builds, wish=wish)
    except PerfsiteError as error:
        return Status(422, {"detail": str(error)})
    refused = [{"build_id": row.pk, "sha": row.sha, "reason": why} for row, why in done.refused]
    return Status(200, {"jobs": len(done.jobs), "refused": refused})


def _builds(project: Project, body: BackfillIn) -> list[Build]:
    if body.first is not None and body.last is not None:
        return builds_placed(project=project, first=body.first, last=body.last, branch=body.branch)
    if not body.builds:
        raise PerfsiteError("nothing to measure: give the ids of `builds`, or `first` and `last`")
    found = Build.objects.filter(project=project).in_bulk(body.builds)
    if missing := [key for key in body.builds if key not in found]:
        raise PerfsiteError(
            f"project {project.slug} has no build {missing[0]}; its builds are listed at /builds"
        )
    return [found[key] for key in dict.fromkeys(body.builds)]
