"""The API of pull requests: list, outcome, approval of a fork's commit, trusted authors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Query, Router, Status
from pydantic import Field

from perfsite.access.auth import MANAGERS, READERS, actor_of
from perfsite.access.readers import row_owned, row_seen
from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.pulls.api_schemas import ApproveIn, PullDetailOut, PullOut, TrustedAuthorOut
from perfsite.pulls.models import PullHead, PullRequest, TrustedAuthor
from perfsite.pulls.selectors import head_jobs, outcome_of, pulls_list
from perfsite.pulls.services import author_distrust, head_approve
from perfsite.runs.models import Project

router = Router(auth=READERS, tags=["pull requests"])

PullNumber = Path[Annotated[int, Field(ge=1, le=2**31 - 1)]]


@router.get("/projects/{slug:slug}/pulls", response=Page[PullOut])
def pulls(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """A project's pull requests."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    return page_of(pulls_list(project=project), cursor)


@router.get("/projects/{slug:slug}/pulls/{slug:forge}/{int:number}", response=PullDetailOut)
def pull(request: HttpRequest, slug: str, forge: str, number: PullNumber) -> PullRequest:
    """One pull request with its versions and what each changed."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    found = pulls_list(project=project).filter(forge=forge, number=number).first()
    if found is None:
        raise NotFoundError(f"{slug} has no pull request {number} of {forge[:20]}; /pulls lists those known")
    heads = list(found.heads.all())
    jobs = head_jobs(heads=heads)
    found.told_heads = [_told(head, jobs[head.pk]) for head in heads]  # type: ignore[attr-defined]
    return found


def _told(head: PullHead, jobs: list[Any]) -> dict[str, Any]:
    outcome = outcome_of(head=head, jobs=jobs)
    names = ("id", "sha", "state", "reason", "build_id", "limit", "approved_by", "approved_at", "received_at")
    return {
        **{name: getattr(head, name) for name in names},
        "base_sha": head.base.sha if head.base else None,
        "check": outcome.check,
        "counts": outcome.counts,
        "missing": list(outcome.missing),
        "rows": [asdict(row) for row in outcome.ordered],
    }


@router.post("/projects/{slug:slug}/pulls/heads/{head_id}/approve", response=PullOut, auth=MANAGERS)
def approve(request: HttpRequest, slug: str, head_id: RowId, body: ApproveIn) -> PullRequest:
    """Let a fork's commit run and be compared with its merge base."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    head = PullHead.objects.select_related("pull").filter(pk=head_id, pull__project=project).first()
    if head is None:
        raise NotFoundError(
            f"{slug} has no version {head_id} of a pull request; /pulls lists the newest ones"
        )
    try:
        head_approve(head=head, actor=actor_of(request), trust_author=body.trust_author)
    except PerfsiteError as error:
        raise ConflictError(str(error)) from None
    return pulls_list(project=project).get(pk=head.pull_id)


@router.get("/projects/{slug:slug}/trusted-authors", response=Page[TrustedAuthorOut])
def trusted_authors(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Whose forks run without another approval."""
    project = row_seen(request, Project.objects.all(), project="", slug=slug)
    return page_of(TrustedAuthor.objects.filter(project=project), cursor)


@router.delete("/projects/{slug:slug}/trusted-authors/{author_id}", response={204: None}, auth=MANAGERS)
def distrust(request: HttpRequest, slug: str, author_id: RowId) -> Status:
    """Take a trust back: the author's next push from a fork waits again."""
    project = row_owned(request, Project.objects.all(), project="", slug=slug)
    found = TrustedAuthor.objects.filter(project=project, pk=author_id).first()
    if found is None:
        raise NotFoundError(f"{slug} trusts no author {author_id}; /trusted-authors lists those it does")
    author_distrust(author=found)
    return Status(204, None)
