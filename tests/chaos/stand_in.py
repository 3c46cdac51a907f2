"""The real worker, with two parts exchanged: what its children do, and how its reports travel.

The harness leaves the name of a fault in the file `PERFSITE_CHAOS/next`; the next report meets it, and a
line in `PERFSITE_CHAOS/met` says so.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import workers.__main__ as command
import workers.job
from workers.client import SiteClient, Unreachable

FOLDER = Path(os.environ["PERFSITE_CHAOS"])
ENTRY = "tests.chaos.child:block_pretend"


class ChaosClient(SiteClient):
    """A client whose reports meet what the harness asks for."""

    def report(self, token: str, body: bytes) -> None:
        """Send a report, or let it meet a fault on its way."""
        FAULTS.get(_fault_next(), SiteClient.report)(self, token, body)


def _fault_next() -> str:
    taken = FOLDER / "taken"
    try:
        (FOLDER / "next").rename(taken)
    except FileNotFoundError:
        return ""
    name = taken.read_text()
    with (FOLDER / "met").open("a") as met:
        met.write(f"{name}\n")
    return name


def _twice(client: SiteClient, token: str, body: bytes) -> None:
    SiteClient.report(client, token, body)
    SiteClient.report(client, token, body)


def _late(client: SiteClient, token: str, body: bytes) -> None:
    """Not sent now: the spool sends it after those of later jobs."""
    raise Unreachable("the report lingers on its way")


def _answer_lost(client: SiteClient, token: str, body: bytes) -> None:
    SiteClient.report(client, token, body)
    raise Unreachable("the report was stored, its answer lost")


def _killed_half_way(client: SiteClient, token: str, body: bytes) -> None:
    """Half of the body is on its way when this process dies."""

    def halves() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        os.kill(os.getpid(), signal.SIGKILL)

    client._send("POST", f"attempts/{token}/report", content=halves())


def _killed_after(client: SiteClient, token: str, body: bytes) -> None:
    """The site has it; this process dies before it can forget it."""
    SiteClient.report(client, token, body)
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS: dict[str, Callable[[SiteClient, str, bytes], None]] = {
    "report_twice": _twice,
    "report_out_of_order": _late,
    "report_answer_lost": _answer_lost,
    "worker_killed_sending": _killed_half_way,
    "worker_killed_reporting": _killed_after,
}

if __name__ == "__main__":
    command.SiteClient = ChaosClient  # type: ignore[misc]
    workers.job.ENTRY = ENTRY
    sys.exit(command.main())
