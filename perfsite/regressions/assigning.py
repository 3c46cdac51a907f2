"""Whose an incident is: whom a person named, else the accused commit's author, else the project's owner."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from perfsite.regressions.bisection.accusing import accusation_of
from perfsite.regressions.models import Incident
from perfsite.runs.models import Project


def assignee_of(*, incident: Incident) -> str:
    """A user name or an e-mail address; empty when nobody is known.

    An incident of the environment accuses no commit: it is the owner's.
    """
    if incident.assignee:
        return incident.assignee
    author = accusation_of(incident=incident).build.author_email
    if incident.kind == Incident.Kind.CODE and is_reachable(author):
        return author
    return owner_of(project=incident.project)


def owner_of(*, project: Project) -> str:
    """The project owner's e-mail address; empty when there is none."""
    return project.owner_email or (project.owner.email if project.owner else "")


def address_of(name: str) -> str:
    """The e-mail address of a user name; an address stays as it is, an unknown name becomes empty."""
    if not name or "@" in name:
        return name
    user = get_user_model().objects.filter(username=name).first()
    return user.email if user else ""


def is_reachable(address: str) -> bool:
    """Forges put addresses like 1+name@users.noreply.github.com into commits: mail to them bounces."""
    name, _, host = address.rpartition("@")
    return bool(name and host) and "noreply" not in address.lower()
