"""Where a forge shows a commit or the difference of two: pure."""

from __future__ import annotations

from urllib.parse import urlsplit


def forge_root(repo: str) -> str:
    """The repository's page on its forge; empty when `repo` is no web address."""
    parts = urlsplit(repo)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return f"{parts.scheme}://{host}{parts.path.rstrip('/').removesuffix('.git')}"  # without credentials


def commit_url(repo: str, sha: str) -> str:
    """The page of one commit; empty when the forge is not known."""
    root = forge_root(repo)
    return f"{root}{_infix(root)}/commit/{sha}" if root else ""


def diff_url(repo: str, base: str, head: str) -> str:
    """The difference from `base` to `head`; empty when the forge is not known."""
    root = forge_root(repo)
    return f"{root}{_infix(root)}/compare/{base}...{head}" if root else ""


def _infix(root: str) -> str:
    """GitLab puts a dash before what belongs to it; GitHub, Gitea and Forgejo do not."""
    return "/-" if "gitlab" in (urlsplit(root).hostname or "") else ""
