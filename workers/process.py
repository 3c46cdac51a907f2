"""What Linux offers to tie the lives of processes together: `prctl(2)`, in three named calls."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, what: str) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"could not {what}: {os.strerror(error)}")


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Ask the kernel for the signal `number` when the parent dies, however it dies.

    `parent` is the process id the caller believes is its parent; when that one is already gone
    the signal would never come, so it is raised at once.
    """
    _prctl(_PR_SET_PDEATHSIG, number, "tie this process to its parent")
    if os.getppid() != parent:
        signal.raise_signal(number)


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant, so that none can slip away by a double fork."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "adopt orphaned descendants")


def hide_from_peers() -> None:
    """Keep other processes of the same user from reading this one's environment and memory.

    Not a wall against root, nor against files the user may read: see the room's README.
    """
    _prctl(_PR_SET_DUMPABLE, 0, "hide this process's memory")
