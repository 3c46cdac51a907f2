"""Energy of the processor packages, from the kernel's powercap counters (RAPL; Linux)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.errors import CannotRun

ROOT = Path("/sys/class/powercap")
_PACKAGE = "package"  # zones below one are parts of it, and "psys" holds the packages once more


@dataclass
class PackageEnergy:
    """The sum over all packages since this was made, in joules; the counters wrap round."""

    zones: tuple[Path, ...]
    _last: dict[Path, int] = field(default_factory=dict)
    _total_uj: int = 0

    @classmethod
    def open(cls, root: Path | None = None) -> PackageEnergy:
        """The packages of this machine, below `root` or where the kernel has them.

        Raises:
            CannotRun: the kernel has no such counters, or does not let this user read them.
        """
        root = root or ROOT
        zones = tuple(zone for zone in sorted(root.glob("intel-rapl:*")) if _is_package(zone))
        if not zones:
            raise CannotRun(
                f"the kernel has no energy counters of the processor ({root}/intel-rapl:*): virtual machines "
                "mostly have none; measure energy on the machine itself, or on a GPU"
            )
        made = cls(zones)
        try:
            made.joules()
        except PermissionError as error:
            raise CannotRun(
                f"the processor's energy counter is not readable ({error.filename}); let the worker's user "
                "read it, with a udev rule for example"
            ) from error
        return made

    def joules(self) -> float:
        """Energy since the first reading; to be read at least once before a counter wraps (minutes)."""
        for zone in self.zones:
            now = _number(zone / "energy_uj")
            moved = now - self._last.get(zone, now)
            if moved < 0:
                moved += _number(zone / "max_energy_range_uj")
            self._total_uj += moved
            self._last[zone] = now
        return self._total_uj * 1e-6


def _is_package(zone: Path) -> bool:
    try:
        return (zone / "name").read_text().startswith(_PACKAGE)
    except OSError:
        return False


def _number(file: Path) -> int:
    return int(file.read_text())
