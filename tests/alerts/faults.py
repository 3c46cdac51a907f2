"""Is every incident told once while channels fail and senders are killed?

    python -m tests.alerts.faults --incidents 1000 --seed 7 --json

Real senders (processes), killed with SIGKILL at random moments, a real database, and real local servers that
fail at random.  What the servers took is held against what the database says.  Status 1 when anything was
lost or doubled.

    lost       never arrived, and the database does not say so (neither uncertain nor failed)
    doubled    arrived more than once without a key by which the other side knows the second
    uncertain  marked so: a chat whose answer was lost; how many of them had arrived is told, too
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from tests.alerts.fault_servers import FaultySink, FaultySmtp

ROOT = Path(__file__).resolve().parents[2]
SENDERS = 3
CHANNELS = ("email", "webhook", "slack", "github")
HANG_S, TIMEOUT_S, CLAIM_S = 3, 2, 6


def main() -> int:
    """Run it and print what happened."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--incidents", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.2, help="of the calls that fail in some way")
    parser.add_argument("--kill-every", type=float, default=2.0, help="seconds, in the mean")
    parser.add_argument("--minutes", type=float, default=20.0, help="after which it gives up waiting")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perfsite-faults-") as folder:
        figures = run(asked, Path(folder))
    if asked.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:>24}  {value}\n")
    return 1 if figures["lost"] or figures["doubled"] or figures["unfinished"] else 0


def run(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Servers, incidents, senders, kills; then the reckoning."""
    began = time.monotonic()
    with ExitStack() as stack:
        sink = stack.enter_context(FaultySink(seed=asked.seed, share=asked.share, hang_s=HANG_S))
        smtp = stack.enter_context(FaultySmtp(seed=asked.seed + 1, share=asked.share))
        for server in (sink, smtp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
        environment = _environment(folder, sink, smtp)
        os.environ.update(environment)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
        import django

        django.setup()
        from tests.alerts.fault_world import reckon, standing, world_make

        world_make(count=asked.incidents, sink=sink.url)
        kills = _send(asked, folder, standing)
        figures = reckon(sink.taken, smtp.taken())
    return figures | {"killed_senders": kills, "seconds": round(time.monotonic() - began)}


def _environment(folder: Path, sink: FaultySink, smtp: FaultySmtp) -> dict[str, str]:
    host, port = smtp.server_address[:2]
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if "FAULTS_DATABASE_URL" in os.environ:
        kept["DATABASE_URL"] = os.environ["FAULTS_DATABASE_URL"]
    return kept | {
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
        "PERFSITE_DATA": str(folder),
        "PERFSITE_URL": "http://perfsite.example",
        "PERFSITE_HOSTS": "perfsite.example",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PERFSITE_LOG": "ERROR",
        "PERFSITE_EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": str(host),
        "EMAIL_PORT": str(port),
        "EMAIL_TIMEOUT": str(TIMEOUT_S),
        "PERFSITE_OUTBOUND_NETWORKS": "127.0.0.0/8",
        "PERFSITE_ALERTS_HTTP": "1",
        "PERFSITE_ALERTS_TIMEOUT_SECONDS": str(TIMEOUT_S),
        "PERFSITE_ALERTS_CLAIM_SECONDS": str(CLAIM_S),
        "PERFSITE_ALERTS_BACKOFF_SECONDS": "1",
    }


def _send(asked: argparse.Namespace, folder: Path, standing: Callable[[], dict[str, int]]) -> int:
    """Senders until everything is settled; returns how many were killed."""
    chance = random.Random(asked.seed + 2)
    # forked from a process that has imported the site, so that a new sender works at once
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.alerts.fault_sender"])
    senders = [_sender(context) for _ in range(SENDERS)]
    kills, until = 0, time.monotonic() + asked.minutes * 60
    try:
        while standing()["open"] and time.monotonic() < until:
            time.sleep(chance.expovariate(1 / asked.kill_every))
            victim = chance.randrange(SENDERS)
            senders[victim].kill()
            senders[victim].join()
            kills += 1
            senders[victim] = _sender(context)
            if not asked.json:
                sys.stderr.write(f"{kills} kills, {standing()}\n")
    finally:
        (folder / "stop").touch()
        for sender in senders:
            sender.join(timeout=30)
            sender.kill()
    return kills


def _sender(context: ForkServerContext) -> ForkServerProcess:
    sender = context.Process(target=main_of_sender)
    sender.start()
    return sender


def main_of_sender() -> None:
    """Runs in a sender: the site is imported there, and nowhere before."""
    from tests.alerts.fault_sender import main as send

    send()


if __name__ == "__main__":
    sys.exit(main())
