"""A bare mirror of a watched repository: the site reads it as data and never runs its code."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from perfsite.core.errors import RepositoryError
from perfsite.runs.commits import Commit

_FETCH_SECONDS = 120.0
_READ_SECONDS = 30.0
_SHA = re.compile(r"^[0-9a-f]{40,64}$")
# no prompts, no hooks, no helpers that run commands
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file:git",
    "LC_ALL": "C",
}
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "safe.directory=*")


class Mirror:
    """One repository's mirror under `folder`.

    Every method raises RepositoryError when git cannot do it; the message holds git's own words.
    """

    def __init__(self, repo: str, folder: Path) -> None:
        self.repo = repo
        self.path = folder / f"{hashlib.sha256(repo.encode()).hexdigest()[:24]}.git"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the mirror alone: git refuses two fetches of the same refs at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def fetch(self) -> None:
        """Bring every branch here; branches deleted at the origin go."""
        with self.locked():
            if not (self.path / "HEAD").exists():
                self._git("init", "--quiet", "--bare", str(self.path), inside=False)
            self._git(
                "fetch", "--quiet", "--prune", "--no-tags", "--end-of-options", self.repo,
                "+refs/heads/*:refs/heads/*", seconds=_FETCH_SECONDS,
            )  # fmt: skip

    def line(self, branch: str) -> list[str]:
        """The first-parent line of a branch, the oldest commit first; empty when the branch is gone."""
        ref = f"refs/heads/{branch}"
        if self._git("for-each-ref", "--format=%(refname)", ref).strip() != ref:
            return []
        return self._git("rev-list", "--first-parent", "--reverse", "--end-of-options", ref).split()

    def commits(self, shas: Sequence[str]) -> dict[str, Commit]:
        """What git knows of these commits; unknown ones are absent."""
        known = [sha for sha in shas if self.has(sha)]
        if not known:
            return {}
        form = "%H%x1f%P%x1f%an%x1f%ae%x1f%cI%x1f%s%x1e"
        text = self._git("show", "--no-patch", f"--format={form}", "--end-of-options", *known)
        records = (record.strip("\n").split("\x1f") for record in text.split("\x1e") if record.strip())
        return {
            sha: Commit(
                sha=sha,
                parents=tuple(parents.split()),
                author_name=name,
                author_email=email,
                committed_at=datetime.fromisoformat(when),
                subject=subject,
            )
            for sha, parents, name, email, when, subject in records
        }

    def has(self, sha: str) -> bool:
        """Whether the commit is here."""
        if not _SHA.match(sha):
            return False
        return self._run("cat-file", "-e", f"{sha}^{{commit}}").returncode == 0

    def changed(self, commit: Commit) -> list[str]:
        """The paths a commit changed against its first parent; all its paths when it is the first."""
        if not commit.parents:
            return self._git("ls-tree", "-r", "-z", "--name-only", commit.sha).split("\0")[:-1]
        names = self._git("diff", "--name-only", "--no-renames", "-z", commit.parents[0], commit.sha)
        return names.split("\0")[:-1]

    def file(self, sha: str, path: str) -> bytes | None:
        """A file's bytes at a commit, None when it is not there."""
        answer = self._run("cat-file", "blob", f"{sha}:{path}")
        return answer.stdout if answer.returncode == 0 else None

    def _run(
        self, *arguments: str, inside: bool = True, seconds: float = _READ_SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        where = ("--git-dir", str(self.path)) if inside else ()
        environment = {**os.environ, **_ENVIRONMENT}
        try:
            return subprocess.run(
                ["git", *_SAFE, *where, *arguments],
                env=environment, capture_output=True, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RepositoryError(f"git {arguments[0]} of {self.repo} took over {seconds:.0f} s") from None
        except FileNotFoundError:
            raise RepositoryError("git is not installed on the site's machine; install it") from None

    def _git(self, *arguments: str, inside: bool = True, seconds: float = _READ_SECONDS) -> str:
        answer = self._run(*arguments, inside=inside, seconds=seconds)
        if answer.returncode:
            words = answer.stderr.decode(errors="replace").strip()[-500:]
            raise RepositoryError(f"git {arguments[0]} of {self.repo} failed: {words}")
        return answer.stdout.decode(errors="replace")
