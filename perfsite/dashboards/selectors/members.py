"""Who has which role in a project."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Q

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


def members_of(*, project: Project) -> tuple[list[MemberRow], list[MemberRow]]:
    """Who has a role in this project, and who has one in every project, both by name."""
    wide = Q(project=None) | Q(project_id=project.pk)
    rows = list(Membership.objects.filter(wide).select_related("user").order_by("user__username"))
    here = [_row(row) for row in rows if row.project_id is not None]
    everywhere = [_row(row) for row in rows if row.project_id is None]
    roots = get_user_model().objects.filter(is_superuser=True).order_by("username")
    above = [MemberRow(None, row.get_username(), "superuser", row.is_active) for row in roots]
    return here, above + everywhere


def _row(row: Membership) -> MemberRow:
    return MemberRow(row.pk, row.user.get_username(), row.role, row.user.is_active)


def member_get(*, project: Project, pk: int) -> Membership:
    """One membership of the project, with its person.

    Raises:
        NotFoundError: it has none of that number.
    """
    found = Membership.objects.filter(project_id=project.pk, pk=pk).select_related("user").first()
    if found is None:
        raise NotFoundError(f"There is no member {pk} here. The project's Members page lists those that are.")
    return found
