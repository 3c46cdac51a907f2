"""What the kernel knows of files that this process reads (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_IO = Path("/proc/self/io")


def file_forget(path: Path) -> None:
    """Drop the file's pages from the page cache, so that the next read comes from the disk.

    The kernel takes it as advice: pages that another process maps stay, and so do those of a file
    system that lives in memory.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # pages not yet written cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def bytes_read() -> int | None:
    """Bytes that this process has read, from disk or cache; None where not told.

    Files that it maps are not in it.
    """
    try:
        lines = _IO.read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))
