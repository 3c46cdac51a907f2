"""Checkouts of real repositories with the real git."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from watched_repository import Repository

from workers.checkout import Checkouts
from workers.git import GitError


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    return Checkouts(tmp_path / "mirrors")


def head_of(folder: Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_checkout_is_at_its_commit_and_clean(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    first = repository.head
    repository.commit("net.py", "changed")
    target = checkouts.make(repo=str(repository.path), sha=first, target=tmp_path / "out")
    assert head_of(target) == first
    assert "def build" in (target / "net.py").read_text()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=target, check=True, capture_output=True
    ).stdout
    assert status == b""


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_paths_and_addresses_both_work(
    checkouts: Checkouts, repository: Repository, tmp_path: Path, form: str
) -> None:
    target = checkouts.make(repo=form.format(repository.path), sha=repository.head, target=tmp_path / "out")
    assert (target / "net.py").exists()


def test_a_commit_that_no_branch_holds_any_more_is_still_found(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    lost = repository.commit("net.py", "pushed, then force-pushed away")
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    assert head_of(checkouts.make(repo=str(repository.path), sha=lost, target=tmp_path / "out")) == lost


def test_a_commit_fetched_once_needs_the_repository_no_more(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    sha = repository.head
    checkouts.make(repo=str(repository.path), sha=sha, target=tmp_path / "one")
    repository.path.rename(tmp_path / "moved")
    assert head_of(checkouts.make(repo=str(repository.path), sha=sha, target=tmp_path / "two")) == sha


def test_the_watched_code_cannot_reach_the_mirror(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    target = checkouts.make(repo=str(repository.path), sha=repository.head, target=tmp_path / "out")
    assert not (target / ".git/objects/info/alternates").exists()
    remotes = subprocess.run(
        ["git", "config", "--list", "--local"], cwd=target, check=True, capture_output=True
    )
    assert b"mirrors" not in remotes.stdout


def test_an_unknown_commit_is_a_lasting_error_that_names_it(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    with pytest.raises(GitError, match=r"could not fetch dddddddddddd of .*: no branch has") as caught:
        checkouts.make(repo=str(repository.path), sha="d" * 40, target=tmp_path / "out")
    assert not caught.value.retry


def test_a_missing_repository_is_a_lasting_error(checkouts: Checkouts, tmp_path: Path) -> None:
    with pytest.raises(GitError, match="does not appear to be a git repository") as caught:
        checkouts.make(repo=str(tmp_path / "nowhere"), sha="d" * 40, target=tmp_path / "out")
    assert not caught.value.retry


def test_a_server_that_does_not_answer_is_worth_another_try(checkouts: Checkouts, tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        checkouts.make(repo="http://127.0.0.1:9/repo.git", sha="d" * 40, target=tmp_path / "out")
    assert caught.value.retry


def test_no_address_runs_a_command(checkouts: Checkouts, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for repo in (f"ext::touch {proof}", f"--upload-pack=touch {proof}"):
        with pytest.raises(GitError):
            checkouts.make(repo=repo, sha="d" * 40, target=tmp_path / "out")
    assert not proof.exists()


def test_hooks_of_a_template_are_not_run(
    checkouts: Checkouts, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    hooks = home / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    (hooks / "post-checkout").chmod(0o755)
    (home / ".gitconfig").write_text(f"[init]\n\ttemplateDir = {home}/template\n")
    monkeypatch.setenv("HOME", str(home))
    checkouts.make(repo=str(repository.path), sha=repository.head, target=tmp_path / "out")
    assert not (tmp_path / "hooked").exists()


def test_half_a_mirror_is_made_again(checkouts: Checkouts, repository: Repository, tmp_path: Path) -> None:
    checkouts.make(repo=str(repository.path), sha=repository.head, target=tmp_path / "one")
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    (mirror / "HEAD").unlink()
    checkouts.make(repo=str(repository.path), sha=repository.head, target=tmp_path / "two")
    first, second = (sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("one", "two"))
    assert first == second != []


def test_a_stop_ends_a_fetch_that_hangs(tmp_path: Path) -> None:
    asked = threading.Event()
    threading.Timer(0.3, asked.set).start()

    checkouts = Checkouts(tmp_path / "mirrors", stop=asked.is_set)
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.monotonic()
        with pytest.raises(GitError) as caught:
            checkouts.make(
                repo=f"http://127.0.0.1:{server.getsockname()[1]}/r.git",
                sha="d" * 40,
                target=tmp_path / "out",
            )
    assert caught.value.retry
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_stop_in_the_middle_of_a_pack_spoils_no_later_fetch(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    """The repository's side hangs while it packs; git holds `shallow.lock` by then."""
    monkeypatch.setattr("workers.git.GRACE_S", 0.5)
    hangs, hook = tmp_path / "hangs", tmp_path / "hook"
    ignore = "trap '' TERM\n" if stubborn else ""
    hook.write_text(f"#!/bin/sh\n{ignore}touch {hangs}\nsleep 100\nsleep 100\n")
    hook.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[uploadpack]\n\tpackObjectsHook = {hook}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    repo, sha, mirrors = f"file://{repository.path}", repository.head, tmp_path / "mirrors"
    started = time.monotonic()
    with pytest.raises(GitError, match="its job was stopped") as caught:
        Checkouts(mirrors, stop=hangs.exists).make(repo=repo, sha=sha, target=tmp_path / "one")
    assert caught.value.retry
    assert time.monotonic() - started < 60
    assert list(mirrors.glob("*.git/**/*.lock")) == []
    (tmp_path / ".gitconfig").unlink()
    assert head_of(Checkouts(mirrors).make(repo=repo, sha=sha, target=tmp_path / "two")) == sha


def test_what_a_killed_git_left_in_a_mirror_is_swept(
    checkouts: Checkouts, repository: Repository, tmp_path: Path
) -> None:
    checkouts.make(repo=str(repository.path), sha=repository.head, target=tmp_path / "one")
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    sha = repository.commit("net.py", "changed")
    (mirror / "objects/pack").mkdir(exist_ok=True)
    left = [mirror / name for name in ("shallow.lock", f"refs/builds/{sha}.lock", "objects/pack/tmp_pack_x")]
    for path in left:
        path.write_text("")
    assert head_of(checkouts.make(repo=str(repository.path), sha=sha, target=tmp_path / "two")) == sha
    assert [path for path in left if path.exists()] == []


def test_two_workers_may_want_the_same_repository_at_once(repository: Repository, tmp_path: Path) -> None:
    errors: list[Exception] = []

    def make(name: str) -> None:
        try:
            Checkouts(tmp_path / "mirrors").make(
                repo=str(repository.path), sha=repository.head, target=tmp_path / name
            )
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=(f"out{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
