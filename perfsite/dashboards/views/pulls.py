"""Pull requests: what each changed, and the button that lets a fork's code run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.pulls.models import PullHead, PullRequest, TrustedAuthor
from perfsite.pulls.selectors import head_jobs, outcome_of, pulls_list
from perfsite.pulls.services import author_distrust, head_approve
from perfsite.pulls.table import Outcome, Row


@require_safe
@page
def pulls(request: HttpRequest, slug: str) -> HttpResponse:
    """Every pull request, the open ones first, with what its newest head's check says."""
    project = project_get(request=request, slug=slug)
    shown: Page = page_of(request, pulls_list(project=project))
    newest = [(pull, next(iter(pull.heads.all()), None)) for pull in shown]
    jobs = head_jobs(heads=[head for _, head in newest if head])
    rows = [
        (pull, head, outcome_of(head=head, jobs=jobs[head.pk]) if head else None) for pull, head in newest
    ]
    context = {
        "project": project,
        "tab": "pulls",
        "page": shown,
        "rows": rows,
        "trusted": list(TrustedAuthor.objects.filter(project=project).order_by("author")),
    }
    return page_render(request, "dashboards/pulls.html", context, tables=lambda: [_pulls_table(rows)])


def _pulls_table(rows: Sequence[tuple[PullRequest, PullHead | None, Outcome | None]]) -> Table:
    """The pull requests with what the newest head's check says."""
    found = [
        (pull.forge, pull.number, pull.title, pull.author, pull.is_open, head.sha if head else None,
         head.state if head else None, outcome.check if outcome else None,
         outcome.sentence if outcome else None)
        for pull, head, outcome in rows
    ]  # fmt: skip
    names = ("forge", "number", "title", "author", "is_open", "head", "state", "check", "sentence")
    return Table("pulls", names, found)


@require_safe
@page
def pull(request: HttpRequest, slug: str, forge: str, number: int) -> HttpResponse:
    """One pull request: its newest head's table, and the heads before it."""
    project = project_get(request=request, slug=slug)
    found = pulls_list(project=project).filter(forge=forge, number=number).first()
    if found is None:
        raise NotFoundError(
            f"There is no pull request {number} of {forge} in {slug}. Its page lists those known."
        )
    heads = list(found.heads.all())
    jobs = head_jobs(heads=heads)
    outcomes = [(head, outcome_of(head=head, jobs=jobs[head.pk])) for head in heads]
    context = {
        "project": project,
        "tab": "pulls",
        "pull": found,
        "newest": outcomes[0] if outcomes else None,
        "earlier": outcomes[1:],
        "jobs": jobs[heads[0].pk] if heads else [],
    }
    return page_render(
        request,
        "dashboards/pull.html",
        context,
        tables=lambda: [_heads_table(outcomes), _compared_table(outcomes)],
    )


def _heads_table(outcomes: Sequence[tuple[PullHead, Outcome]]) -> Table:
    """The heads, the newest first."""
    rows = [(head.sha, head.state, outcome.check, outcome.sentence) for head, outcome in outcomes]
    return Table("heads", ("sha", "state", "check", "sentence"), rows)


def _compared_table(outcomes: Sequence[tuple[PullHead, Outcome]]) -> Table:
    """What the newest head's comparisons found; values in each metric's own unit."""
    rows = outcomes[0][1].rows if outcomes else ()
    names = tuple(field.name for field in fields(Row))
    return Table("compared", names, [tuple(getattr(row, name) for name in names) for row in rows])


@require_POST
@login_required
@page
def approve(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Let this very commit of a fork run; `trust` also whatever its author pushes next."""
    project = project_get(request=request, slug=slug)
    head = get_object_or_404(PullHead.objects.select_related("pull"), pk=pk, pull__project=project)
    trust = request.POST.get("trust") == "yes"
    try:
        head_approve(head=head, actor=request.user.get_username(), trust_author=trust)
    except PerfsiteError as error:
        messages.error(request, f"Not approved: {error}.")
    else:
        messages.info(request, f"Approved: {head.short} is compared with its merge base next.")
    return redirect("pull", slug, head.pull.forge, head.pull.number)


@require_POST
@login_required
@page
def distrust(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The author's next push from a fork waits again."""
    project = project_get(request=request, slug=slug)
    author = get_object_or_404(TrustedAuthor, pk=pk, project=project)
    author_distrust(author=author)
    messages.info(request, f"{author.author} is not trusted any more: the next push from a fork waits.")
    return redirect("pulls", slug)
