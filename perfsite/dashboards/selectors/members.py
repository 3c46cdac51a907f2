"""Who has which role in a project."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import OuterRef, Q, QuerySet, Subquery

from perfsite.access.models import Membership
from perfsite.core.errors import NotFoundError
from perfsite.runs.models import Project


@dataclass(frozen=True)
class MemberRow:
    """A person's role; `pk` is that of the membership, None where no membership gives it."""

    pk: int | None
    username: str
    role: str
    is_active: bool


def members_here(*, project: Project) -> QuerySet[Membership]:
    """The memberships of this project by name, for `here_row`."""
    rows = Membership.objects.filter(project_id=project.pk).select_related("user")
    return rows.order_by("user__username")


def members_everywhere() -> QuerySet[AbstractUser]:
    """Who has a role in every project, superusers first, then by name, for `everywhere_row`."""
    wide = Membership.objects.filter(user=OuterRef("pk"), project=None).values("role")[:1]
    rows = get_user_model().objects.annotate(wide_role=Subquery(wide))
    found = rows.filter(Q(is_superuser=True) | Q(wide_role__isnull=False))
    return found.order_by("-is_superuser", "username")


def here_row(row: Membership) -> MemberRow:
    """A member of this project as the page shows them."""
    return MemberRow(row.pk, row.user.get_username(), row.role, row.user.is_active)


def everywhere_row(user: AbstractUser) -> MemberRow:
    """A member of every project as the page shows them."""
    role = "superuser" if user.is_superuser else user.wide_role  # type: ignore[attr-defined]
    return MemberRow(None, user.get_username(), role, user.is_active)


def member_get(*, project: Project, pk: int) -> Membership:
    """One membership of the project, with its person.

    Raises:
        NotFoundError: it has none of that number.
    """
    found = Membership.objects.filter(project_id=project.pk, pk=pk).select_related("user").first()
    if found is None:
        raise NotFoundError(f"There is no member {pk} here. The project's Members page lists those that are.")
    return found
