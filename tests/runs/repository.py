"""A real git repository, and pushes from it."""

import subprocess

from perfsite.runs.commits import Commit
from perfsite.runs.services import builds_receive


class Repository:
    """A real repository to push from."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "ada@example.org")
        self.git("config", "user.name", "Ada")

    def git(self, *arguments):
        return subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, subject, **files):
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject, "--allow-empty")
        return self.git("rev-parse", "HEAD")


def push(project, *shas, branch="main"):
    commits = [Commit(sha=sha) for sha in shas]
    return builds_receive(project=project, branch=branch, commits=commits, head=shas[-1])
