"""Finding the build that somebody means."""

from __future__ import annotations

import re
from typing import Any

from perfsite.client.site import SiteClient, SiteError

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")


def build_find(site: SiteClient, project: str, text: str, *, branch: str = "") -> dict[str, Any] | None:
    """The build with this number or commit (seven characters at least); None when there is none yet.

    Raises:
        SiteError: `text` is neither, several commits begin so, or the site refuses.
    """
    if text.isdecimal() and len(text) < 7:
        return site.get(f"/builds/{text}")
    if not _SHA.fullmatch(text):
        raise SiteError(f"{text!r} is neither a build's number nor a commit of seven characters or more")
    found = site.get(f"/projects/{project}/builds", sha=text.lower(), branch=branch, limit=50)["items"]
    if len({build["sha"] for build in found}) > 1:
        raise SiteError(f"several commits of {project} begin with {text}; give more of it")
    return found[0] if found else None


def build_get(site: SiteClient, project: str, text: str, *, branch: str = "") -> dict[str, Any]:
    """The build; one that is not there is an error.

    Raises:
        SiteError: as `build_find`, or there is none.
    """
    found = build_find(site, project, text, branch=branch)
    if found is None:
        raise SiteError(f"{project} has no build of {text}; its Builds page lists those that are")
    return found
