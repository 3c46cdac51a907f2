"""Makes the demo's git repository: real commits with fixed dates, so that a second demo finds them again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from perfsite.core.errors import PerfsiteError
from perfsite.demo.story import Edit, Step, pushes

SEED = Path(__file__).with_name("seed")
_FIRST = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_APART = timedelta(hours=7)


@dataclass(frozen=True)
class Made:
    """A commit that was made: its place in the story and what git called it."""

    step: Step
    sha: str
    parent: str
    when: datetime


def repository_make(path: Path, steps: Sequence[Step]) -> list[Made]:
    """Make the repository at `path`, which is replaced, and return its commits, the oldest first."""
    shutil.rmtree(path, ignore_errors=True)
    _seed_copy(path)
    _git(path, "init", "--quiet", "--initial-branch", "main")
    made: list[Made] = []
    for number, step in enumerate(steps):
        for edit in step.edits:
            _edit(path, edit)
        when = _FIRST + number * _APART
        sha = _commit(path, step, when)
        made.append(Made(step, sha, made[-1].sha if made else "", when))
    return made


def parts(made: Sequence[Made]) -> list[list[list[Made]]]:
    """The pushes in parts: a new one begins where the machine changes, which must have nothing left to do."""
    found: list[list[list[Made]]] = [[]]
    for places in pushes([one.step for one in made]):
        push = [made[place] for place in places]
        if push[0].step.machine:
            found.append([])
        found[-1].append(push)
    return [part for part in found if part]


def _seed_copy(path: Path) -> None:
    for source in sorted(SEED.rglob("*")):
        if source.is_file():
            # the models lie here as text: importing torch is nothing the site may ever do
            target = path / str(source.relative_to(SEED)).removesuffix(".txt")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text())


def _edit(path: Path, edit: Edit) -> None:
    file = path / edit.path
    text = file.read_text()
    if not edit.old:
        file.write_text(text + edit.new)
        return
    if text.count(edit.old) != 1:
        raise PerfsiteError(f"the demo's story edits {edit.old!r} in {edit.path}, which is not there once")
    file.write_text(text.replace(edit.old, edit.new))


def _commit(path: Path, step: Step, when: datetime) -> str:
    person = {
        "NAME": step.author,
        "EMAIL": f"{step.author.lower()}@example.org",
        "DATE": when.isoformat(),
    }
    environment = {
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()
    }
    _git(path, "add", "--all")
    _git(path, "commit", "--quiet", "--message", step.subject, environment=environment)
    return _git(path, "rev-parse", "HEAD").strip()


def _git(path: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    quiet = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=path, env={**quiet, **(environment or {})}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise PerfsiteError("git is not installed; the demo makes a real repository with it") from None
    if answer.returncode:
        raise PerfsiteError(f"git {arguments[0]} in {path} failed: {answer.stderr.strip()}")
    return answer.stdout
