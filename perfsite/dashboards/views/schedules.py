"""Schedules: what a project measures by the clock, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.schedules import ScheduleRow, schedules_of
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.runs.calendar import days_read
from perfsite.runs.models import Schedule
from perfsite.runs.schedules import Timing, schedule_add, schedule_remove, schedule_switch, turn_now
from perfsite.runs.selectors import device_classes_known


class ScheduleForm(forms.Form):
    """A new schedule."""

    name = forms.CharField(max_length=60, help_text="for example nightly")
    what = forms.ChoiceField(
        choices=[(word.value, word.value) for word in Schedule.What],
        help_text="; ".join(f"{word.value} is {word.label}" for word in Schedule.What),
    )
    days = forms.CharField(initial="daily", max_length=60, help_text="daily, or some of mon,tue,...")
    at = forms.TimeField(initial="02:00", help_text="local time")
    time_zone = forms.CharField(initial="UTC", max_length=60, help_text="for example Europe/Berlin")
    minutes_per_day = forms.FloatField(initial=120, label="Device minutes a day")
    device_class = forms.ChoiceField(required=False, label="Device class")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        classes = [("", "those of perfsite.toml"), *((name, name) for name in device_classes_known())]
        self.fields["device_class"].choices = classes  # type: ignore[attr-defined]


@require_safe
@page
def schedules(request: HttpRequest, slug: str) -> HttpResponse:
    """The schedules with their newest turns, and the form for another one."""
    project = project_get(request=request, slug=slug)
    rows = schedules_of(project=project, now=timezone.now())
    context = {"project": project, "tab": "schedules", "rows": rows, "form": ScheduleForm()}
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
    values = form.cleaned_data
    try:
        values["days"] = days_read(values["days"])
        actor = request.user.get_username()
        schedule_add(project=project, timing=Timing(**values), now=timezone.now(), actor=actor)
    except (PerfsiteError, ValueError) as error:
        messages.error(request, f"Not added: {error}.")
    else:
        messages.info(request, f"Added: {values['name']}.")
    return redirect("schedules", slug)


def _begin(schedule: Schedule) -> str:
    turn_now(schedule=schedule, now=timezone.now())
    return "Begun: its first jobs are queued within seconds."


def _switch(schedule: Schedule) -> str:
    schedule_switch(schedule=schedule, is_active=not schedule.is_active, now=timezone.now())
    return "Paused." if schedule.is_active else "It goes on; what was due meanwhile is not caught up."


def _remove(schedule: Schedule) -> str:
    schedule_remove(schedule=schedule)
    return "Removed; the jobs that it queued stay."


_ACTIONS: dict[str, Callable[[Schedule], str]] = {"begin": _begin, "switch": _switch, "remove": _remove}


@require_POST
@login_required
@page
def act(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Begin a turn now, pause or go on, remove."""
    project = project_get(request=request, slug=slug)
    schedule = get_object_or_404(Schedule, pk=pk, project=project)
    action = _ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        messages.error(request, "Nothing was done: begin, switch and remove are known.")
    else:
        messages.info(request, f"{schedule.name}: {action(schedule)}")
    return redirect("schedules", slug)
