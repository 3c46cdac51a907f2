"""The form of a schedule."""

from __future__ import annotations

from typing import Any

from django import forms

from perfsite.dashboards.forms.checked import asked
from perfsite.runs.calendar import DAYS, days_read, zone_get
from perfsite.runs.models import Schedule
from perfsite.runs.schedules import Timing
from perfsite.runs.selectors import device_classes_known


class ScheduleForm(forms.Form):
    """What is measured by the clock, and when."""

    name = forms.CharField(max_length=60, help_text="for example nightly")
    what = forms.ChoiceField(
        choices=[(word.value, word.value) for word in Schedule.What],
        help_text="; ".join(f"{word.value} is {word.label}" for word in Schedule.What),
    )
    days = forms.CharField(initial="daily", max_length=60, help_text="daily, or some of mon,tue,...")
    at = forms.TimeField(
        initial="02:00",
        help_text="local time",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    time_zone = forms.CharField(initial="UTC", max_length=60, help_text="for example Europe/Berlin")
    minutes_per_day = forms.FloatField(initial=120, label="Device minutes a day")
    device_class = forms.ChoiceField(required=False, label="Device class")

    def __init__(self, *args: Any, schedule: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = device_classes_known()
        if schedule is not None and schedule.device_class not in ("", *names):
            names = [*names, schedule.device_class]  # no worker of it is known any more
        classes = [("", "those of perfsite.toml"), *((name, name) for name in names)]
        self.fields["device_class"].choices = classes  # type: ignore[attr-defined]

    def clean_days(self) -> tuple[int, ...]:
        """Weekdays, Monday is 0."""
        return asked(days_read, self.cleaned_data["days"])

    def clean_time_zone(self) -> str:
        """A time zone by its name in the IANA database."""
        asked(zone_get, self.cleaned_data["time_zone"])
        return self.cleaned_data["time_zone"]

    def timing(self) -> Timing:
        """As the service takes it."""
        return Timing(**self.cleaned_data)


def schedule_initial(schedule: Schedule) -> dict[str, Any]:
    """What the form shows of a stored schedule."""
    shown = {name: getattr(schedule, name) for name in ScheduleForm.base_fields}
    days = sorted(schedule.days)
    return shown | {"days": "daily" if len(days) == len(DAYS) else ",".join(DAYS[day] for day in days)}
