"""Writes of people's roles."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from perfsite.access.audit import audit_console
from perfsite.access.models import Membership
from perfsite.access.roles import Role, role_named
from perfsite.core.errors import ConflictError, NotFoundError, PerfsiteError
from perfsite.core.text import text_clean


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


@transaction.atomic
def member_store(*, project_id: int, username: str, role: str) -> Membership:
    """Give a person who has an account a role in a project, or another one than they have.

    Raises:
        NotFoundError: nobody has an account of this name.
        PerfsiteError: there is no such role.
        ConflictError: nobody would be left who gives roles in the project.
    """
    wanted = _role(role)
    if not wanted:
        raise PerfsiteError("a member has a role: viewer, triager, maintainer or administrator")
    user = _account(username)
    _project_lock(project_id)
    row, _ = Membership.objects.update_or_create(
        user=user, project_id=project_id, defaults={"role": wanted.name.lower()}
    )
    _keeper_stays(project_id)
    return row


@transaction.atomic
def member_remove(*, project_id: int, username: str) -> None:
    """Take a person's role in a project away; one in every project stays.

    Raises:
        NotFoundError: the person has no role in this project by itself.
        ConflictError: nobody would be left who gives roles in the project.
    """
    name = text_clean(username)
    _project_lock(project_id)
    gone, _ = Membership.objects.filter(project_id=project_id, user__username=name).delete()
    if not gone:
        raise NotFoundError(f"{name[:150]!r} has no role in this project by itself; its members are listed")
    _keeper_stays(project_id)


def _project_lock(project_id: int) -> None:
    """Of two administrators who remove each other the second finds what the first did."""
    apps.get_model("runs", "Project").objects.select_for_update().get(pk=project_id)


def _keeper_stays(project_id: int) -> None:
    """Nothing while some active person may give roles in the project.

    Raises:
        ConflictError: nobody may.
    """
    here = Q(memberships__project=None) | Q(memberships__project_id=project_id)
    administrators = here & Q(memberships__role=Role.ADMINISTRATOR.name.lower())
    people = get_user_model().objects.filter(is_active=True)
    if not people.filter(Q(is_superuser=True) | administrators).exists():
        raise ConflictError(
            "nobody would be left who gives roles in this project; make somebody else an administrator first"
        )


def _account(username: str) -> User:
    name = text_clean(username).strip()
    found = get_user_model().objects.filter(username=name).first()
    if found is None:
        raise NotFoundError(
            f"nobody here logs in as {name[:150]!r}; a person has an account after the first login, or by "
            "`manage.py role set` on the site's machine"
        )
    return found


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
