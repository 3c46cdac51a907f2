"""What a project's maintainers change of it.  Not its repository: the site fetches with its own keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from perfsite.core.errors import PerfsiteError
from perfsite.core.text import text_clean
from perfsite.runs.commits import is_branch
from perfsite.runs.models import Project

NAME_MOST = 120
RESERVED = ("new",)  # words of our own addresses
_HOST = r"\w[\w.-]*"
_REMOTE = re.compile(
    rf"(https://|ssh://({_HOST}@)?){_HOST}(:\d{{1,5}})?/\S+|{_HOST}@{_HOST}:[\w~/]\S*", re.ASCII
)
ADDRESS_MOST = 254


def name_checked(name: str) -> str:
    """A project's name, without blanks around it.

    Raises:
        PerfsiteError: it is empty or too long.
    """
    name = text_clean(name).strip()
    if not 1 <= len(name) <= NAME_MOST:
        raise PerfsiteError(f"a project's name has 1 to {NAME_MOST} characters, this one {len(name)}")
    return name


def remote_checked(repo: str) -> str:
    """A repository that git fetches over a network: what a page may ask this site to read.

    Raises:
        PerfsiteError: it is a folder of this machine, another protocol, or no address.
    """
    repo = text_clean(repo).strip()
    if not _REMOTE.fullmatch(repo):
        raise PerfsiteError(
            f"{repo[:120]!r} is no address over HTTPS or SSH, like https://github.com/me/models or "
            "git@github.com:me/models.git; a folder of the site's machine is connected there, with "
            "manage.py project add"
        )
    return repo


def branch_checked(branch: str) -> str:
    """The branch that is always watched.

    Raises:
        PerfsiteError: git allows no branch of that name.
    """
    branch = text_clean(branch).strip()
    if not is_branch(branch):
        raise PerfsiteError(f"{branch[:80]!r} names no branch that git allows; one looks like main")
    return branch


def owner_email_checked(address: str) -> str:
    """The owner's e-mail address; an empty one is none.

    Raises:
        PerfsiteError: it is no address.
    """
    address = text_clean(address).strip()
    try:
        if address:
            validate_email(address)
    except ValidationError:
        raise PerfsiteError(
            f"{address[:80]!r} is no address of e-mail; one looks like lead@example.org"
        ) from None
    if len(address) > ADDRESS_MOST:
        raise PerfsiteError(f"the owner's address of e-mail is longer than {ADDRESS_MOST} characters")
    return address


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": name_checked,
    "branch": branch_checked,
    "owner_email": owner_email_checked,
    "is_public": bool,
}


def project_change(*, project: Project, values: Mapping[str, Any]) -> None:
    """Change a project's name, branch, owner's address, or whether it is public; what is left out stays.

    Builds and series that are there keep their branch: another one begins its own.

    Raises:
        PerfsiteError: a value makes no sense, or is none that maintainers change.
    """
    strange = sorted(values.keys() - _CHECKS.keys())
    if strange:
        raise PerfsiteError(f"{strange[0][:60]!r} is not changed here; known: {', '.join(_CHECKS)}")
    checked = {name: _CHECKS[name](value) for name, value in values.items()}
    if not checked:
        return
    Project.objects.filter(pk=project.pk).update(**checked)
    for name, value in checked.items():
        setattr(project, name, value)
