"""What a person may do in a project: the roles, and who has which.

Machines have purposes instead (`rights.py`).  A role holds all that the ones before it may do.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from django.conf import settings
from django.db.models import Q

from perfsite.access.models import Membership


class Role(IntEnum):
    """From nobody to everything; `NONE` is a stranger, who sees public projects only."""

    NONE = 0
    VIEWER = 1  # reads
    TRIAGER = 2  # decides on incidents, leaves notes
    MAINTAINER = 3  # orders, repeats and cancels measuring; changes the project's rules
    ADMINISTRATOR = 4  # the site: people, keys, mail, the audit log


def role_named(name: str) -> Role:
    """The role of this name, in any case; `NONE` for an empty one.

    Raises:
        ValueError: there is no such role; the message lists them.
    """
    try:
        return Role[name.upper() or "NONE"]
    except KeyError:
        known = ", ".join(role.name.lower() for role in Role if role)
        raise ValueError(f"there is no role {name!r}; known: {known}") from None


def role_in(user: Any, project_id: int | None) -> Role:
    """The role of a person in a project, or on the site as a whole where `project_id` is None."""
    if not user.is_authenticated or not user.is_active:
        return Role.NONE
    if user.is_superuser:
        return Role.ADMINISTRATOR
    wide = Q(project=None) if project_id is None else Q(project=None) | Q(project_id=project_id)
    names = Membership.objects.filter(wide, user=user).values_list("role", flat=True)
    return max((Role[name.upper()] for name in names), default=role_named(settings.DEFAULT_ROLE))


def role_anywhere(user: Any) -> Role:
    """The highest role a person has in any project: for what belongs to no project."""
    if not user.is_authenticated or user.is_superuser:
        return role_in(user, None)
    names = Membership.objects.filter(user=user).values_list("role", flat=True)
    return max((role_in(user, None), *(Role[name.upper()] for name in names)))


def sees_every_project(user: Any) -> bool:
    """Whether a person may read all projects."""
    return role_in(user, None) >= Role.VIEWER


def projects_of(user: Any) -> list[int]:
    """The ids of the projects a person has a role in by name."""
    if not user.is_authenticated:
        return []
    rows = Membership.objects.filter(user=user, project__isnull=False)
    return list(rows.values_list("project_id", flat=True))
