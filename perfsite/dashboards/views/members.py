"""Who has which role in a project; administrators give and take them."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from perfsite.access.people import member_remove, member_store
from perfsite.access.roles import Role, role_in
from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.forms.projects import ROLE_NAMES, MemberForm
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.members import (
    MemberRow,
    everywhere_row,
    here_row,
    member_get,
    members_everywhere,
    members_here,
)
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.removing import Question, asking, question_answer
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.runs.models import Project

_INVALID = 422


@require_safe
@page
def members(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The project's members, and who has a role in every project."""
    return _answer(request, project_get(request=request, slug=slug), MemberForm())


@require_POST
@page
def member_set(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Give a person a role, or another one."""
    project = project_get(request=request, slug=slug)
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _answer(request, project, form)
    username, role = form.cleaned_data["username"], form.cleaned_data["role"]
    try:
        member_store(project_id=project.pk, username=username, role=role)
    except PerfsiteError as error:
        form.add_error("username", str(error))
        return _answer(request, project, form)
    messages.info(request, f"{username} is {role} in {project.name}.")
    return redirect(_next(request, project))


@asking
def member_end(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a person's role away."""
    project = project_get(request=request, slug=slug)
    found = member_get(project=project, pk=pk)
    name = found.user.get_username()

    def act() -> None:
        member_remove(project_id=project.pk, username=name)

    loses = f"{name} has no role of their own in {project.name} any more; the account and what it did stay."
    thing = f"{name} from the members"
    back = reverse("members", args=[slug])
    answer = question_answer(request, Question(project, "members", thing, loses, back), act)
    return redirect(_next(request, project)) if answer.status_code == 302 else answer


def _next(request: HttpRequest, project: Project) -> str:
    """The page of members, but for who may not open it any more: they changed their own role."""
    if role_in(request.user, project.pk) >= Role.MAINTAINER:
        return reverse("members", args=[project.slug])
    return reverse("home")


def _answer(request: HttpRequest, project: Project, form: MemberForm) -> HttpResponseBase:
    shown = page_of(request, members_here(project=project), name="here")
    above = page_of(request, members_everywhere(), name="everywhere")
    here = [here_row(row) for row in shown]
    everywhere = [everywhere_row(row) for row in above]
    context = {
        "project": project,
        "tab": "members",
        "here": here,
        "everywhere": everywhere,
        "here_page": shown,
        "everywhere_page": above,
        "default_role": settings.DEFAULT_ROLE,
        "roles": ROLE_NAMES,
        "form": form,
    }
    if form.errors:  # the answer to a write has no twin
        return render(request, "dashboards/members.html", context, status=_INVALID)
    return page_render(request, "dashboards/members.html", context, tables=lambda: [_table(here, everywhere)])


def _table(here: list[MemberRow], everywhere: list[MemberRow]) -> Table:
    """The roles of the pages shown; `where` is this project, or every one."""
    rows = [(row.username, row.role, "project", row.is_active) for row in here]
    rows += [(row.username, row.role, "every project", row.is_active) for row in everywhere]
    return Table("members", ("username", "role", "where", "is_active"), rows)
