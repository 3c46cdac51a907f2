"""Forms of a project's rules, channels and mutes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from benchmarks.metrics import METRICS
from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.checking import quiet_checked, recipients_checked, zone_checked
from perfsite.alerts.deciding import Terms
from perfsite.alerts.models import Channel, Rule
from perfsite.alerts.telling import terms_of
from perfsite.dashboards.forms.checked import asked
from perfsite.results.models import Series
from perfsite.runs.models import Project


class WordsField(forms.CharField):
    """Words between commas or on lines of their own, as a list."""

    def to_python(self, value: Any) -> Any:
        """The list, without blanks and doubles."""
        if isinstance(value, list):
            return value
        words = (part.strip() for part in str(value or "").replace("\n", ",").split(","))
        return list(dict.fromkeys(word for word in words if word))

    def prepare_value(self, value: Any) -> Any:
        """As it is typed."""
        return ", ".join(value) if isinstance(value, list) else value


def _time(label: str, help_text: str = "") -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, widget=widget, help_text=help_text)


class RuleForm(forms.Form):
    """What a project wants to hear, by which channels and when."""

    name = forms.CharField(max_length=80)
    cases = WordsField(
        label="Cases",
        required=False,
        help_text="model/runner/precision/shape, such as resnet*/tensorrt/*",
    )
    metrics = forms.MultipleChoiceField(required=False, help_text="none chosen: all")
    device_classes = forms.MultipleChoiceField(
        label="Device classes", required=False, help_text="none chosen: all"
    )
    minimum = forms.FloatField(label="Smallest change, %", min_value=0, max_value=1000, initial=0)
    improvements = forms.BooleanField(label="Improvements, too", required=False)
    channels = forms.ModelMultipleChoiceField(queryset=Channel.objects.none(), required=True)
    recipients = WordsField(
        label="Who hears, by mail",
        required=False,
        initial=["assignee"],
        help_text="assignee, owner, or addresses",
    )
    quiet_from = _time("Quiet from")
    quiet_to = _time("Quiet to")
    zone = forms.CharField(label="Time zone", initial="UTC", max_length=60)
    digest_at = _time("Digest at", "empty: at once")
    cap = forms.IntegerField(
        label="Messages a day, at most",
        required=False,
        min_value=1,
        max_value=1000,
        help_text="the rest in one summary",
    )
    days = forms.IntegerField(label="Days to try it on", min_value=1, max_value=365, initial=30)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Series.objects.filter(project=project)
        metrics = sorted(set(rows.values_list("metric", flat=True)))
        devices = sorted(set(rows.values_list("device_class", flat=True)))
        titles = [(name, METRICS[name].title if name in METRICS else name) for name in metrics]
        self.fields["metrics"].choices = titles  # type: ignore[attr-defined]
        self.fields["device_classes"].choices = [(name, name) for name in devices]  # type: ignore[attr-defined]
        self.fields["channels"].queryset = Channel.objects.filter(project=project)  # type: ignore[attr-defined]

    def clean_zone(self) -> str:
        """A time zone by its name in the IANA database."""
        return asked(zone_checked, self.cleaned_data["zone"])

    def clean_recipients(self) -> list[str]:
        """Words that a rule knows, or addresses."""
        return asked(recipients_checked, self.cleaned_data["recipients"])

    def clean(self) -> dict[str, Any]:
        """Quiet hours have both ends."""
        data = super().clean() or {}
        asked(quiet_checked, data.get("quiet_from"), data.get("quiet_to"))
        return data

    def columns(self) -> dict[str, Any]:
        """The columns of a rule."""
        data = dict(self.cleaned_data)
        del data["channels"], data["days"]
        return data | {"minimum": data["minimum"] / 100}

    def terms(self) -> Terms:
        """The rule as it decides."""
        return terms_of(Rule(**self.columns()))


def rule_initial(rule: Rule | None) -> dict[str, Any]:
    """What the form shows of a stored rule."""
    if rule is None:
        return {}
    shown = {name: getattr(rule, name) for name in RuleForm.base_fields if hasattr(rule, name)}
    return shown | {
        "minimum": round(rule.minimum * 100, 6),
        "channels": list(rule.channels.all()),
        "days": 30,
    }


class ChannelForm(forms.Form):
    """A channel of one kind: its name and what the kind has to be told."""

    name = forms.CharField(max_length=80)

    def __init__(self, *args: Any, kind: str, channel: Channel | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in CHANNELS[kind].fields:
            is_kept = channel is not None and one.is_secret and bool(channel.secrets.get(one.name))
            hidden = forms.PasswordInput(attrs={"autocomplete": "off"})
            if one.choices:
                self.fields[one.name] = forms.ChoiceField(
                    label=one.title,
                    help_text=one.help,
                    required=one.is_required,
                    choices=one.choices,
                    initial=channel.settings.get(one.name, "") if channel else "",
                )
                continue
            self.fields[one.name] = forms.CharField(
                label=one.title,
                help_text="stored; empty keeps it" if is_kept else one.help,
                required=one.is_required and not is_kept,
                max_length=2000,
                widget=hidden if one.is_secret else forms.TextInput(),
                initial="" if one.is_secret or channel is None else channel.settings.get(one.name, ""),
            )


class MuteForm(forms.Form):
    """Until when nobody hears of an incident's series, and why."""

    until = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    reason = forms.CharField(max_length=500)

    def moment(self) -> datetime:
        """The end of the day that was named, by UTC."""
        day: date = self.cleaned_data["until"]
        return datetime.combine(day, time(23, 59, 59), tzinfo=ZoneInfo("UTC"))


def mute_initial() -> dict[str, Any]:
    """Two weeks, which most people mean."""
    return {"until": timezone.now().date() + timedelta(days=14)}
