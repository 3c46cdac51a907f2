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

_FETCH_SECONDS = 600.0
_READ_SECONDS = 30.0
_SHA = re.compile(r"^[0-9a-f]{40,64}$")
# no prompts, no hooks, no helpers that run commands
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:file:git",
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
    def claimed(self) -> Iterator[bool]:
        """Hold the mirror alone; False at once when somebody else does."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def fetch(self) -> None:
        """Bring every branch here; branches deleted at the origin go.  Call it inside `claimed`."""
        if not (self.path / "HEAD").exists():
            self._git("init", "--quiet", "--bare", str(self.path), inside=False)
        # what a killed git left: nobody else writes here now
        for stale in (*self.path.rglob("*.lock"), *self.path.glob("objects/pack/tmp_*")):
            stale.unlink(missing_ok=True)
        self._git(
            "fetch", "--quiet", "--prune", "--no-tags", "--end-of-options", self.repo,
            "+refs/heads/*:refs/heads/*", seconds=_FETCH_SECONDS,
        )  # fmt: skip

    def fetch_ref(self, ref: str) -> None:
        """Bring one more ref here, such as a pull request's head.  Call it inside `claimed`."""
        self._git(
            "fetch", "--quiet", "--no-tags", "--end-of-options", self.repo, f"+{ref}:{ref}",
            seconds=_FETCH_SECONDS,
        )  # fmt: skip

    def merge_base(self, *, branch: str, sha: str) -> str:
        """The newest commit that a branch and a commit have in common; empty when there is none."""
        answer = self._run("merge-base", "--end-of-options", f"refs/heads/{branch}", sha)
        if answer.returncode != 1:
            self._checked("merge-base", answer)
        return answer.stdout.decode().strip()

    def line(self, branch: str) -> list[str]:
        """The first-parent line of a branch, the oldest commit first; empty when the branch is gone."""
        ref = f"refs/heads/{branch}"
        if self._git("for-each-ref", "--format=%(refname)", ref).strip() != ref:
            return []
        return self._git("rev-list", "--first-parent", "--reverse", "--end-of-options", ref).split()

    def commits(self, shas: Sequence[str]) -> dict[str, Commit]:
        """What git knows of these commits; unknown ones are absent."""
        asked = "\n".join(f"{sha}^{{commit}}" for sha in shas if _SHA.match(sha)).encode()
        answers = self._run("cat-file", "--batch-check=%(objecttype) %(objectname)", given=asked)
        words = [line.split() for line in answers.stdout.decode(errors="replace").splitlines()]
        known = [answer[1] for answer in words if len(answer) == 2 and answer[0] == "commit"]
        if not known:
            return {}
        # a commit's text can hold every character but NUL
        form = "%x00".join(("%H", "%P", "%an", "%ae", "%cI", "%s", ""))
        fields = self._git("show", "--no-patch", f"--format={form}", "--end-of-options", *known).split("\0")
        rows = zip(*[iter(fields)] * 6, strict=False)
        commits = (_commit_read(*(text.strip("\n") for text in row)) for row in rows)
        return {commit.sha: commit for commit in commits}

    def changed(self, commit: Commit) -> list[str]:
        """The paths a commit changed against its first parent; all its paths when it is the first."""
        if not commit.parents:
            return self._git("ls-tree", "-r", "-z", "--name-only", commit.sha).split("\0")[:-1]
        names = self._git("diff", "--name-only", "--no-renames", "-z", commit.parents[0], commit.sha)
        return names.split("\0")[:-1]

    def file(self, sha: str, path: str, *, limit: int) -> bytes | None:
        """A file's bytes at a commit, at most one byte over `limit`; None when the commit has none."""
        asked = f"{sha}^{{commit}}\n{sha}:{path}\n".encode()
        form = "--batch-check=%(objecttype) %(objectsize)"
        commit, *found = self._git("cat-file", form, given=asked).splitlines()
        if not commit.startswith("commit "):
            raise RepositoryError(f"{sha[:12]} is no commit of the mirror of {self.repo}")
        kind, _, size = found[0].partition(" ") if found else ("", "", "")
        if kind != "blob":
            return None
        if int(size) > limit:  # never read: it may be larger than the memory
            return b" " * (limit + 1)
        answer = self._run("cat-file", "blob", f"{sha}:{path}")
        return self._checked("cat-file", answer).stdout

    def _run(
        self, *arguments: str, inside: bool = True, seconds: float = _READ_SECONDS, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        where = ("--git-dir", str(self.path)) if inside else ()
        environment = {**os.environ, **_ENVIRONMENT}
        try:
            return subprocess.run(
                ["git", *_SAFE, *where, *arguments],
                env=environment, input=given, capture_output=True, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RepositoryError(f"git {arguments[0]} of {self.repo} took over {seconds:.0f} s") from None
        except FileNotFoundError:
            raise RepositoryError("git is not installed on the site's machine; install it") from None

    def _git(
        self, *arguments: str, inside: bool = True, seconds: float = _READ_SECONDS, given: bytes = b""
    ) -> str:
        answer = self._run(*arguments, inside=inside, seconds=seconds, given=given)
        return self._checked(arguments[0], answer).stdout.decode(errors="replace")

    def _checked(
        self, command: str, answer: subprocess.CompletedProcess[bytes]
    ) -> subprocess.CompletedProcess[bytes]:
        if answer.returncode:
            words = answer.stderr.decode(errors="replace").strip()[-500:]
            raise RepositoryError(f"git {command} of {self.repo} failed: {words}")
        return answer


def _commit_read(sha: str, parents: str, name: str, email: str, when: str, subject: str) -> Commit:
    try:
        committed_at = datetime.fromisoformat(when)
    except ValueError:  # git takes years that no calendar of ours holds
        committed_at = None
    return Commit(
        sha=sha,
        parents=tuple(parents.split()),
        author_name=name,
        author_email=email,
        committed_at=committed_at,
        subject=subject,
    )
