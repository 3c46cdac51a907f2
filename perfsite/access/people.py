"""Writes of people's roles."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction

from perfsite.access.audit import audit_console
from perfsite.access.models import Membership
from perfsite.access.roles import Role, role_named
from perfsite.core.errors import NotFoundError, PerfsiteError


@transaction.atomic
def role_set(*, username: str, role: str, project: str = "") -> str:
    """Give a person a role in the project of this slug, or in all; returns what was done, in a sentence.

    An administrator of one project does not see the site's mails and audit log.  A new person has no
    password: give one with `manage.py changepassword`, or a login link.

    Raises:
        PerfsiteError: there is no such role or project.
    """
    wanted = _role(role)
    project_id = _project_id(project)
    user, created = get_user_model().objects.get_or_create(username=username)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    where_now = {"project__isnull": True} if project_id is None else {"project_id": project_id}
    Membership.objects.filter(user=user, **where_now).delete()
    if wanted:
        Membership.objects.create(user=user, project_id=project_id, role=wanted.name.lower())
    where = project or "every project"
    audit_console(action="role-set", target=username, role=wanted.name.lower(), project=where)
    return f"{username} is {wanted.name.lower() if wanted else 'nobody'} in {where}"


def role_list() -> list[str]:
    """Who has which role where, a line each."""
    rows = Membership.objects.select_related("user", "project").order_by("user__username", "project_id")
    return [f"{row.user.get_username():30} {row.role:14} {row.project or 'every project'}" for row in rows]


def _role(name: str) -> Role:
    try:
        return role_named("" if name == "none" else name)
    except ValueError as error:
        raise PerfsiteError(str(error)) from None


def _project_id(slug: str) -> int | None:
    if not slug:
        return None
    found = apps.get_model("runs", "Project").objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise NotFoundError(f"there is no project {slug!r}; `manage.py project add` makes one")
    return found
