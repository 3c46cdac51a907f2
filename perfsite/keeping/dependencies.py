"""What the site is made of: a bill of materials (CycloneDX), and the audit of what is known to be harmful.

Both are made by the programs of the PyPA and of CycloneDX, of the extra `audit`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from perfsite.core.errors import PerfsiteError

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
SCHEMA = "1.6"


def bill_make() -> dict[str, Any]:
    """The bill of what is installed beside this interpreter; asks nobody.

    Raises:
        PerfsiteError: the program is missing or failed.
    """
    words = [
        "environment",
        sys.executable,
        "--output-format",
        "JSON",
        "--spec-version",
        SCHEMA,
        "--output-reproducible",
    ]
    done = _run("cyclonedx_py", *words)
    if done.returncode:
        raise PerfsiteError(f"no bill was made: {done.stderr.strip()[-500:]}")
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill


def dependencies_audit(*, constraints: Path = CONSTRAINTS) -> list[str]:
    """A sentence per known vulnerability of the versions in `constraints`; asks PyPI's advisory database.

    Raises:
        PerfsiteError: the program is missing, or the database could not be asked about every one of them:
            what was not looked at is not clean.
    """
    words = ["--requirement", str(constraints), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    done = _run("pip_audit", *words, "--format", "json")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise PerfsiteError(f"the audit could not be made: {done.stderr.strip()[-500:]}") from None
    skipped = [row["name"] for row in found if "skip_reason" in row]
    if skipped or not found:
        raise PerfsiteError(
            f"the audit could not be made: {len(skipped)} of {len(found)} packages are unknown to the "
            f"advisory database that was asked ({', '.join(skipped[:5])} ...); give this machine a way to "
            "pypi.org"
        )
    return [sentence for row in found for sentence in _vulnerable(row)]


def _vulnerable(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['name']} {row['version']}: {one['id']}, mended in "
        f"{', '.join(one['fix_versions']) or 'no version yet'}"
        for one in row["vulns"]
    ]


def _run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if f"No module named {module}" in done.stderr:
        raise PerfsiteError(f"{module} is not installed: pip install 'perfsite[audit]'")
    return done
