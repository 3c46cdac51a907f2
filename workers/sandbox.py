"""Watched code under bubblewrap: no network, a system it cannot change, a `/tmp` of its own, no secrets.

The zygote itself is started inside, so that every child forked from it is there too.  It is process 1 of a
namespace of its own: the worker and its environment are not in its `/proc`, and all die with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROGRAM = "bwrap"
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent
_DEVICES = ("nvidia*", "nvidia-caps", "dri", "dxg")
# hidden, not used; the first two are writable: programs want a place for temporary files
_HIDDEN = ("/tmp", "/var/tmp", "/run", "/root", "/home")  # noqa: S108
_TRY_S = 20.0


class SandboxError(Exception):
    """Watched code cannot be confined on this machine; the message says how to mend it."""


def sandbox_command(
    *,
    writable: Iterable[Path],
    readable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    network: bool = False,
) -> tuple[str, ...]:
    """The words before the zygote's command.

    Of the folders of users, of `/tmp` and of `hidden`, only `writable` and `readable` are seen, and this
    Python with the packages it imports.

    Raises:
        SandboxError: bubblewrap is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise SandboxError("bubblewrap is not installed: apt-get install bubblewrap, or leave --sandbox away")
    words = [
        program, "--die-with-parent", "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts",
        "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip
    if not network:
        words.append("--unshare-net")
    for path in sorted(found for name in _DEVICES for found in Path("/dev").glob(name)):
        words += ["--dev-bind", str(path), str(path)]
    for path in [*map(Path, _HIDDEN), *hidden]:
        if path.is_dir():
            words += ["--tmpfs", str(path)]
    for path in [*_python_folders(), *readable]:
        words += ["--ro-bind-try", str(path), str(path)]
    for path in writable:
        path.mkdir(parents=True, exist_ok=True)
        words += ["--bind", str(path), str(path)]
    for path in [*map(Path, _HIDDEN[2:]), *hidden]:  # what was put in their place is nobody's to fill
        if path.is_dir():
            words += ["--remount-ro", str(path)]
    return (*words, "--")


def sandbox_try() -> str:
    """Why a sandbox cannot be made here; empty when it can."""
    try:
        command = [*sandbox_command(writable=()), sys.executable, "-c", "pass"]
    except SandboxError as error:
        return str(error)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRY_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {error}"
    return done.stderr.strip()[:300] if done.returncode else ""


def _python_folders() -> list[Path]:
    """Where this interpreter and what it imports lie, wherever that is; hidden folders must show them."""
    places = {sys.prefix, sys.base_prefix, str(_PACKAGE_ROOT / "workers"), str(_PACKAGE_ROOT / "benchmarks")}
    places |= {os.path.realpath(sys.executable).rpartition("/bin/")[0] or sys.prefix}
    return sorted(Path(place) for place in places)
