"""The API of what is kept of a project itself: its own fields, and who has which role in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest
from ninja import Path, Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from perfsite.access.audit import audit_tell
from perfsite.access.auth import MANAGERS
from perfsite.access.models import Membership
from perfsite.access.people import member_remove, member_store
from perfsite.access.readers import row_owned, site_wide
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.runs.api_read import router as reading
from perfsite.runs.api_schemas import ProjectOut
from perfsite.runs.models import Project
from perfsite.runs.projects import (
    ADDRESS_MOST,
    NAME_MOST,
    project_change,
    remote_checked,
)
from perfsite.runs.services import project_add

router = Router(auth=MANAGERS, tags=["members"])

Username = Path[Annotated[str, Field(min_length=1, max_length=150, examples=["ada"])]]


class ProjectIn(Schema):
    """What changes; what is left out stays, so an empty body only shows what is there."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=NAME_MOST, examples=["Vision models"])
    branch: str | None = Field(None, max_length=200, description="Always watched.", examples=["main"])
    owner_email: str | None = Field(None, max_length=ADDRESS_MOST, examples=["lead@example.org"])
    is_public: bool | None = Field(None, description="Whether strangers may read it.", examples=[False])


class ProjectKeptOut(ProjectOut):
    """A project as its maintainers see it."""

    owner_email: str = Field(examples=["lead@example.org"])


class RepositoryIn(Schema):
    """A repository to watch."""

    model_config = ConfigDict(extra="forbid")

    repo: str = Field(
        max_length=500, description="As git fetches it.", examples=["https://github.com/me/models"]
    )
    slug: str = Field(
        max_length=50, description="Its name in addresses; it stays as it is.", examples=["models"]
    )
    branch: str = Field("main", max_length=200, description="Always watched.", examples=["main"])
    owner_email: str = Field("", max_length=ADDRESS_MOST, examples=["lead@example.org"])
    is_public: bool = Field(False, description="Whether strangers may read it.")


class ProjectMadeOut(ProjectKeptOut):
    """A new project; its secret is told this once."""

    webhook_secret: str = Field(description="What the forge signs its deliveries with.")


class RoleIn(Schema):
    """The role that a person has from now on."""

    role: Literal["viewer", "triager", "maintainer", "administrator"] = Field(examples=["triager"])


class MemberOut(Schema):
    """A person's role in the project, or in every project (`is_everywhere`), which only the site gives."""

    id: int
    username: str = Field(examples=["ada"])
    role: str = Field(examples=["triager"])
    is_everywhere: bool

    @staticmethod
    def resolve_username(row: Membership) -> str:
        """As the person logs in."""
        return row.user.get_username()

    @staticmethod
    def resolve_is_everywhere(row: Membership) -> bool:
        """Whether the role is of no one project."""
        return row.project_id is None


def _project(request: HttpRequest, slug: str) -> Project:
    found: Project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return found


@reading.post("/projects", response={201: ProjectMadeOut}, auth=MANAGERS)
def project_new(request: HttpRequest, body: RepositoryIn) -> Status:
    """Connect a repository; for the site's administrators and its tokens."""
    site_wide(request)
    found = project_add(
        slug=body.slug,
        repo=remote_checked(body.repo),
        branch=body.branch,
        owner_email=body.owner_email,
        is_public=body.is_public,
    )
    audit_tell(request, project=found.slug)
    return Status(201, found)


@reading.patch("/projects/{slug:slug}", response=ProjectKeptOut, auth=MANAGERS)
def project_edit(request: HttpRequest, slug: str, body: ProjectIn) -> Project:
    """Change a project's name, branch, owner's address, or whether it is public."""
    found = _project(request, slug)
    values = {name: value for name, value in body.model_dump().items() if value is not None}
    project_change(project=found, values=values)
    audit_tell(request, **{name: getattr(found, name) for name in values})
    return found


@router.get("/projects/{slug:slug}/members", response=Page[MemberOut])
def member_list(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who has which role in the project; superusers may do everything and have none."""
    wide = Q(project=None) | Q(project_id=_project(request, slug).pk)
    return page_of(Membership.objects.filter(wide).select_related("user"), cursor)


@router.put("/projects/{slug:slug}/members/{username}", response=MemberOut)
def member_put(request: HttpRequest, slug: str, username: Username, body: RoleIn) -> Membership:
    """Give a person who has an account a role in the project; for administrators, and the site's tokens."""
    project = _project(request, slug)
    site_wide(request)
    audit_tell(request, role=body.role)
    return member_store(project_id=project.pk, username=username, role=body.role)


@router.delete("/projects/{slug:slug}/members/{username}", response={204: None})
def member_delete(request: HttpRequest, slug: str, username: Username) -> Status:
    """Take a person's role in the project away; a role in every project stays."""
    project = _project(request, slug)
    site_wide(request)
    audit_tell(request, role="none")
    member_remove(project_id=project.pk, username=username)
    return Status(204, None)
