"""Is a payload of the repository that the project watches: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")
_USER = re.compile(r"^[^/@]*@")


def repository_matches(*, repo: str, forge_name: str, given: Iterable[str]) -> bool:
    """Whether one of the payload's names or URLs is the project's; case does not matter, as on forges.

    `repo` is the URL or path the project fetches from, `forge_name` its `owner/name`.  A payload
    that names no repository is taken at its signature's word.
    """
    names = {_plain(name) for name in given if name}
    return not names or bool(names & {_plain(repo), forge_name.casefold()})


def _plain(name: str) -> str:
    """One form for `https://host/a/b.git`, `ssh://git@host/a/b` and `git@host:a/b`; `owner/name` stays."""
    text = name.strip().casefold()
    text, schemes = _SCHEME.subn("", text)
    text, users = _USER.subn("", text)
    if users and not schemes:
        text = text.replace(":", "/", 1)
    return text.rstrip("/").removesuffix(".git")
