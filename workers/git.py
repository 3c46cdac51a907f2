"""Git, run so that an address or a repository cannot make it do anything but move data.

No prompts, no hooks, no transport that runs a command; the environment holds none of the worker's
secrets.  The operator's own git configuration counts, so that credential helpers work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

TIMEOUT_S = 600.0
POLL_S = 0.2
GRACE_S = 5.0
"""How long git may take to remove its lock files once it was asked to end."""

_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "advice.detachedHead=false",
    "gc.auto=0",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
_OPTIONS = tuple(part for item in _CONFIG for part in ("-c", item))

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_PASSED_ON = ("PATH", "HOME", "LANG", "SSH_AUTH_SOCK", "SSL_CERT_FILE", *_PROXIES)

_LASTING = (
    "not our ref",
    "authentication failed",
    "could not read username",
    "couldn't find remote ref",
    "does not appear to be a git repository",
    "not allowed",
    "permission denied",
    "repository not found",
)
"""What git says when another try would end the same way."""


class GitError(Exception):
    """Git could not do it; `retry` is true when another try may end otherwise."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class Git:
    """Runs git; a command that runs is ended when `stop()` becomes true."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    def run(self, *arguments: str, folder: Path, what: str) -> str:
        """Run git in `folder` and return what it printed.

        Raises:
            GitError: it failed; the message begins with "could not " and `what`.
        """
        deadline, ended = time.monotonic() + TIMEOUT_S, False
        with subprocess.Popen(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            while True:
                try:
                    out, err = process.communicate(timeout=POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    if ended := self._stop() or time.monotonic() > deadline:
                        out, err = _end(process)
                        break
        if process.returncode != 0:
            raise _error(process.returncode, err.strip(), what, ended=ended)
        return out


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """End git and its helpers, and return what they printed; only SIGTERM lets them remove their locks."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        return process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def _error(code: int, said: str, what: str, *, ended: bool) -> GitError:
    if ended:  # by its code or not: it may also complain of the helper that was ended beside it
        reason = f"git was ended: its job was stopped, or it took over {TIMEOUT_S:g} s"
        return GitError(f"could not {what}: {reason}", retry=True)
    if code < 0:
        return GitError(f"could not {what}: git was ended by signal {-code}", retry=True)
    lasting = any(words in said.lower() for words in _LASTING)
    return GitError(f"could not {what}: {said[-1500:] or f'git ended with {code}'}", retry=not lasting)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {
        "LC_ALL": "C",  # its messages are read above
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
