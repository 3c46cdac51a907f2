"""A build's source in a clean folder: fetched into a mirror kept per repository, and verified.

The checkout shares nothing with the mirror, so that whatever the watched code does to its own
`.git` stays there.  Submodules and LFS files are not fetched.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.git import POLL_S, Git, GitError

_FETCH = ("fetch", "--quiet", "--no-tags", "--force")


class Checkouts:
    """Makes checkouts; `mirrors` is the folder of the bare mirrors, shared by a machine's workers."""

    def __init__(self, mirrors: Path, *, stop: Callable[[], bool] = lambda: False) -> None:
        self._mirrors = mirrors
        self._stop = stop
        self._git = Git(stop)

    def make(self, *, repo: str, sha: str, target: Path, ref: str = "") -> Path:
        """Check `repo` (a path or an address) out at `sha` into the new folder `target`; return it.

        `ref` is where to look for a commit that no branch has.

        Raises:
            GitError: git could not fetch or check out, or the result is not that commit.
        """
        mirror = self._mirrors / f"{hashlib.sha256(repo.encode()).hexdigest()[:20]}.git"
        with self._locked(mirror.with_suffix(".lock")):
            self._fetch(mirror, repo, sha, ref)
        target.mkdir(parents=True)
        what = f"check out {sha[:12]} of {repo}"
        source = ("--", str(mirror), f"refs/builds/{sha}")
        self._git.run("init", "--quiet", ".", folder=target, what=what)
        self._git.run(*_FETCH, "--depth=1", *source, folder=target, what=what)
        self._git.run("checkout", "--quiet", "--detach", "FETCH_HEAD", folder=target, what=what)
        head = self._git.run("rev-parse", "HEAD", folder=target, what=what).strip()
        if head != sha:
            raise GitError(f"could not {what}: the checkout is at {head}", retry=True)
        return target

    def _fetch(self, mirror: Path, repo: str, sha: str, ref: str) -> None:
        """Have `sha` in the mirror, under a ref that keeps it."""
        if repo.startswith("-"):
            raise GitError(f"{repo!r} is not the address of a repository", retry=False)
        if not (mirror / "HEAD").exists():
            shutil.rmtree(mirror, ignore_errors=True)  # half of one, from a worker that was killed
            mirror.mkdir(parents=True)
            self._git.run("init", "--quiet", "--bare", ".", folder=mirror, what=f"make a mirror of {repo}")
        if self._has(mirror, f"refs/builds/{sha}"):
            return
        _sweep(mirror)
        what = f"fetch {sha[:12]} of {repo}"
        try:
            wanted = f"{sha}:refs/builds/{sha}"
            self._git.run(*_FETCH, "--depth=1", "--", repo, wanted, folder=mirror, what=what)
        except GitError as error:
            if error.retry:
                raise
            # some servers give no commit that is asked for by its name: all branches, then, and its ref
            self._git.run(*_FETCH, "--", repo, "+refs/heads/*:refs/heads/*", folder=mirror, what=what)
            if ref and not self._has(mirror, sha):
                self._git.run(*_FETCH, "--", repo, f"+{ref}:refs/asked/{ref}", folder=mirror, what=what)
            if not self._has(mirror, sha):
                raise GitError(
                    f"could not {what}: no branch has that commit; it may have been force-pushed away",
                    retry=False,
                ) from error
            self._git.run("update-ref", f"refs/builds/{sha}", sha, folder=mirror, what=what)

    def _has(self, mirror: Path, name: str) -> bool:
        try:
            self._git.run("cat-file", "-e", f"{name}^{{commit}}", folder=mirror, what="look")
        except GitError:
            return False
        return True

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """One worker at a time in one mirror."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._stop():
                        raise GitError("the job was stopped while another fetched", retry=True) from None
                    time.sleep(POLL_S / 4)
            yield


def _sweep(mirror: Path) -> None:
    """Remove what a killed git left: its locks would fail every later fetch, its packs fill the disk.

    Nothing else writes in the mirror meanwhile, its lock is held.
    """
    for pattern in ("**/*.lock", "objects/pack/tmp_*"):
        for path in list(mirror.glob(pattern)):
            path.unlink(missing_ok=True)
