"""Schedules: what a project measures by the clock, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.forms.schedules import ScheduleForm, schedule_initial
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.schedules import ScheduleRow, schedules_of, schedules_rows
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.removing import Question, asking, question_answer
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.runs.models import Schedule
from perfsite.runs.schedules import (
    schedule_add,
    schedule_change,
    schedule_remove,
    schedule_switch,
    turn_now,
)

_SHOWN = 20


@require_safe
@page
def schedules(request: HttpRequest, slug: str) -> HttpResponse:
    """The schedules with their newest turns, and the form for another one."""
    project = project_get(request=request, slug=slug)
    shown = page_of(request, schedules_of(project=project), size=_SHOWN)
    rows = schedules_rows(list(shown), now=timezone.now())
    context = {"project": project, "tab": "schedules", "page": shown, "rows": rows, "form": ScheduleForm()}
    return page_render(request, "dashboards/schedules.html", context, tables=lambda: [_table(rows)])


def _table(rows: Sequence[ScheduleRow]) -> Table:
    """The schedules; `spent` are device minutes of today."""
    found = [
        (row.schedule.name, row.schedule.what, row.schedule.device_class, row.when, row.schedule.is_active,
         row.schedule.due_at.isoformat(), row.spent, row.schedule.minutes_per_day)
        for row in rows
    ]  # fmt: skip
    names = ("name", "what", "device_class", "when", "is_active", "due_at", "spent", "minutes_per_day")
    return Table("schedules", names, found)


@require_POST
@login_required
@page
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a schedule."""
    project = project_get(request=request, slug=slug)
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        wrong = "; ".join(f"{name}: {' '.join(map(str, told))}" for name, told in form.errors.items())
        messages.error(request, f"Not added: {wrong}")
        return redirect("schedules", slug)
    try:
        actor = request.user.get_username()
        schedule_add(project=project, timing=form.timing(), now=timezone.now(), actor=actor)
    except PerfsiteError as error:
        messages.error(request, f"Not added: {error}.")
    else:
        messages.info(request, f"Added: {form.cleaned_data['name']}.")
    return redirect("schedules", slug)


def _begin(schedule: Schedule) -> str:
    turn_now(schedule=schedule, now=timezone.now())
    return "Begun: its first jobs are queued within seconds."


def _switch(schedule: Schedule) -> str:
    schedule_switch(schedule=schedule, is_active=not schedule.is_active, now=timezone.now())
    return "Paused." if schedule.is_active else "It goes on; what was due meanwhile is not caught up."


_ACTIONS: dict[str, Callable[[Schedule], str]] = {"begin": _begin, "switch": _switch}


@require_POST
@login_required
@page
def act(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Begin a turn now, pause or go on."""
    project = project_get(request=request, slug=slug)
    schedule = get_object_or_404(Schedule, pk=pk, project=project)
    action = _ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        messages.error(request, "Nothing was done: begin and switch are known.")
    else:
        messages.info(request, f"{schedule.name}: {action(schedule)}")
    return redirect("schedules", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def schedule(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One schedule to be changed."""
    project = project_get(request=request, slug=slug)
    found = get_object_or_404(Schedule, pk=pk, project=project)
    form = ScheduleForm(request.POST or None, initial=schedule_initial(found), schedule=found)
    if request.method == "POST" and form.is_valid():
        try:
            schedule_change(schedule=found, timing=form.timing(), now=timezone.now())
        except PerfsiteError as error:
            form.add_error(None, str(error))
        else:
            messages.info(request, f"Stored: {form.cleaned_data['name']}.")
            return redirect("schedules", slug)
    context = {"project": project, "tab": "schedules", "schedule": found, "form": form}
    return render(request, "dashboards/schedule.html", context, status=422 if form.errors else 200)


@asking
def remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Remove a schedule."""
    project = project_get(request=request, slug=slug)
    found = get_object_or_404(Schedule, pk=pk, project=project)
    question = Question(
        project,
        "schedules",
        f"the schedule {found.name}",
        "It is due no more and its turns are no longer listed; what it measured stays, and so do its jobs.",
        reverse("schedules", args=[slug]),
    )
    return question_answer(request, question, lambda: schedule_remove(schedule=found))
