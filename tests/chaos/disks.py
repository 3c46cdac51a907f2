"""Small disks that can be full: a tmpfs over a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

_FILLER = ".filler"


def disks_possible(folder: Path) -> bool:
    """Whether this user may mount one."""
    disk = Disk(folder / "probe", 1)
    if disk.mounted:
        disk.close()
    return disk.mounted


class Disk:
    """A file system of `megabytes` at `folder`; a plain folder where mounting is not allowed."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "chaos", str(folder)]
        self.mounted = not subprocess.run(command, capture_output=True, check=False).returncode

    def fill(self) -> None:
        """Leave no byte free."""
        if not self.mounted:
            raise RuntimeError(f"{self._folder} is no disk of its own; it is not filled")
        try:
            with (self._folder / _FILLER).open("ab", buffering=0) as filler:
                while filler.write(b"\0" * 65536):
                    pass
        except OSError:
            return

    def free(self) -> None:
        """Room again."""
        (self._folder / _FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it; also while something still has a file open there."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self._folder)], capture_output=True, check=False)
