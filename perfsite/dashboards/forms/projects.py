"""Forms of a project's own fields and of its members."""

from __future__ import annotations

from typing import Any

from django import forms

from perfsite.access.roles import Role
from perfsite.dashboards.forms.checked import asked
from perfsite.runs.models import Project
from perfsite.runs.projects import (
    ADDRESS_MOST,
    NAME_MOST,
    branch_checked,
    name_checked,
    owner_email_checked,
    remote_checked,
)

_ROLES = {
    Role.VIEWER: "reads",
    Role.TRIAGER: "decides on incidents, too",
    Role.MAINTAINER: "orders measuring and keeps the settings, too",
    Role.ADMINISTRATOR: "gives roles, too",
}
ROLE_NAMES = [(role.name.lower(), role.name.lower()) for role in _ROLES]
_ROLE_CHOICES = [(role.name.lower(), f"{role.name.lower()}: {words}") for role, words in _ROLES.items()]


class ProjectForm(forms.Form):
    """What a project's maintainers change of it."""

    name = forms.CharField(max_length=NAME_MOST)
    branch = forms.CharField(max_length=200, help_text="always watched; another one begins series of its own")
    owner_email = forms.CharField(
        label="Owner's e-mail",
        required=False,
        max_length=ADDRESS_MOST,
        widget=forms.EmailInput(),
        help_text="who hears of an incident whose author cannot be reached",
    )
    is_public = forms.BooleanField(
        label="Public", required=False, help_text="everybody may read it, without a login"
    )

    def clean_name(self) -> str:
        """Not only blanks."""
        return asked(name_checked, self.cleaned_data["name"])

    def clean_branch(self) -> str:
        """A name that git allows."""
        return asked(branch_checked, self.cleaned_data["branch"])

    def clean_owner_email(self) -> str:
        """An address, or none."""
        return asked(owner_email_checked, self.cleaned_data["owner_email"])


class RepositoryForm(forms.Form):
    """A repository to watch: the least that the first chart needs; more stands in the settings."""

    repo = forms.CharField(
        label="Repository",
        max_length=500,
        help_text="as git fetches it; the site and its workers do, with their own keys",
        widget=forms.TextInput(attrs={"placeholder": "https://github.com/me/models", "autofocus": True}),
    )
    slug = forms.SlugField(
        label="Name in addresses", max_length=50, help_text="letters, digits, hyphens; it stays as it is"
    )
    branch = forms.CharField(max_length=200, initial="main", help_text="always watched")
    owner_email = ProjectForm.base_fields["owner_email"]
    is_public = ProjectForm.base_fields["is_public"]

    def clean_repo(self) -> str:
        """An address over a network."""
        return asked(remote_checked, self.cleaned_data["repo"])

    def clean_branch(self) -> str:
        """A name that git allows."""
        return asked(branch_checked, self.cleaned_data["branch"])

    def clean_owner_email(self) -> str:
        """An address, or none."""
        return asked(owner_email_checked, self.cleaned_data["owner_email"])


def project_initial(project: Project) -> dict[str, Any]:
    """What the form shows of a project."""
    return {name: getattr(project, name) for name in ProjectForm.base_fields}


class MemberForm(forms.Form):
    """A person and the role that they get."""

    username = forms.CharField(label="User name", max_length=150, help_text="as the person logs in")
    role = forms.ChoiceField(choices=_ROLE_CHOICES, initial="viewer")
