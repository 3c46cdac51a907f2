"""One sender, a process of its own: sends what is due until it is killed or told to end.

`python -m tests.alerts.fault_sender`, with the database and settings in its environment.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import django

django.setup()

from django.db import OperationalError, connection  # noqa: E402 - needs the apps

from perfsite.alerts.services import incidents_tell  # noqa: E402


def main() -> None:
    """Send until the file `stop` is there."""
    stop = Path(os.environ["PERFSITE_DATA"]) / "stop"
    while not stop.exists():
        try:
            sent = incidents_tell()
        except OperationalError:  # another held the database for too long
            connection.close()
            sent = 0
        if not sent:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
