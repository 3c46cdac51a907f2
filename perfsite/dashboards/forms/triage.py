"""Forms of an incident's triage."""

from __future__ import annotations

from typing import Any

from django import forms

from perfsite.dashboards.forms.alerts import WordsField
from perfsite.regressions.incident_states import PERSON_STATES
from perfsite.regressions.models import Incident

_STATES = [(state, state) for state in PERSON_STATES]  # what each means stands beside: a list cannot wrap


class TriageForm(forms.Form):
    """What a person decides about an incident."""

    state = forms.ChoiceField(choices=_STATES)
    reason = forms.CharField(required=False, max_length=500)
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}))


class DetailsForm(forms.Form):
    """Whose an incident is, and what people hang on it."""

    assignee = forms.CharField(
        required=False, max_length=254, help_text="a user name or e-mail address; empty: the default"
    )
    due_on = forms.DateField(
        label="Due", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    tags = WordsField(required=False)
    links = WordsField(required=False, help_text="tickets, pull requests")


def details_initial(incident: Incident) -> dict[str, Any]:
    """What the form shows of an incident."""
    return {name: getattr(incident, name) for name in DetailsForm.base_fields}


class BulkForm(forms.Form):
    """One word about many incidents."""

    state = forms.ChoiceField(choices=[(state, state) for state in PERSON_STATES])
    reason = forms.CharField(required=False, max_length=500)
    incidents = forms.TypedMultipleChoiceField(coerce=int)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        sent = data.getlist("incidents") if data is not None else []
        choices = [(value, value) for value in sent if value.isdecimal() and len(value) < 19]
        self.fields["incidents"].choices = choices  # type: ignore[attr-defined]
