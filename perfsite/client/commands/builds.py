"""Finding the build that somebody means."""

from __future__ import annotations

import re
from typing import Any

from perfsite.client.site import SiteClient, SiteError

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")


def build_find(site: SiteClient, project: str, text: str, *, branch: str = "") -> dict[str, Any] | None:
    """The build with this number or commit (seven characters at least); None when there is none yet.

    Raises:
        SiteError: `text` is neither, several commits begin so, the build is another project's, or the site
            refuses.
    """
    if text.isdecimal() and len(text) < 7:
        return _numbered(site, project, text)
    if not _SHA.fullmatch(text):
        raise SiteError(f"{text!r} is neither a build's number nor a commit of seven characters or more")
    found = site.get(f"/projects/{project}/builds", sha=text.lower(), branch=branch, limit=50)["items"]
    if len({build["sha"] for build in found}) > 1:
        raise SiteError(f"several commits of {project} begin with {text}; give more of it")
    return _placed(site, project, found) if len(found) > 1 else next(iter(found), None)


def _placed(site: SiteClient, project: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the rows of one commit the one that is judged: on a branch, the project's before another's.

    A commit has a row for each branch that it came by, and one without a place where a pull request or a
    search asked for it; which of them is the newest row says only who came last.
    """
    watched = site.get(f"/projects/{project}")["branch"]
    return max(rows, key=lambda row: (row["ordinal"] is not None, row["branch"] == watched, row["id"]))


def build_get(site: SiteClient, project: str, text: str, *, branch: str = "") -> dict[str, Any]:
    """The build; one that is not there is an error.

    Raises:
        SiteError: as `build_find`, or there is none.
    """
    found = build_find(site, project, text, branch=branch)
    if found is None:
        raise SiteError(f"{project} has no build of {text}; its Builds page lists those that are")
    return found


def _numbered(site: SiteClient, project: str, number: str) -> dict[str, Any]:
    """Numbers go on over all projects: one of another project is not what was meant."""
    found: dict[str, Any] = site.get(f"/builds/{number}")
    if found["project"] != project:
        raise SiteError(
            f"build {number} is one of {found['project']}, not of {project}; give a commit, or --project "
            f"{found['project']}"
        )
    return found
