"""`python -m tests.chaos --jobs N --workers N --seed S --json`: break everything, count what is left.

It starts a PostgreSQL (or uses SQLite), a Redis, a site and workers of its own, on ports, disks and network
namespaces of their own, and touches nothing that runs already.  Status 0: every job ended once, every report
is stored once, nobody dead held a job for more than a lease and two sweeps, nothing needs a person.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.chaos.servers import Servers, Terms, postgres_binary
from tests.chaos.wires import Wires, wires_possible

BY_HAND = Terms(lease=15, heartbeat=3, sweep=2)
IN_CI = Terms(lease=6, heartbeat=1, sweep=2)
LONG_JOBS = 200
OUTAGE_S = 4.0


def main() -> int:
    """Run it and print what is left."""
    options = _options()
    long = options.jobs >= LONG_JOBS
    cut = options.cut or (60.0 if long else 3.0)
    folder = Path(tempfile.mkdtemp(prefix="perfsite-chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    wires = Wires() if wires_possible() else None
    terms = BY_HAND if long else IN_CI
    servers = Servers(
        folder, host=wires.host if wires else "127.0.0.1", terms=terms, database=options.database
    )
    run = None
    try:
        os.environ.update(servers.environment)
        import django

        django.setup()
        from tests.chaos.run import Run

        servers.start()
        rng = random.Random(options.seed)
        pause = options.pause or (4.0 if long else 0.6)
        rounds = options.rounds or (0 if long else 1)
        run = Run(folder, servers, wires, terms, rng, OUTAGE_S, cut, pause, rounds, _say)
        result = run.carry_out(jobs=options.jobs, workers=options.workers, limit_s=options.limit)
    finally:
        for box in run.boxes if run else ():
            box.close()
        servers.close()
        if wires:
            wires.close()
    result |= {"seed": options.seed, "database": options.database}
    wrong = _wrong(result, options.jobs)
    print(json.dumps(result) if options.json else _table(result))
    for sentence in wrong:
        _say(sentence)
    _say(f"logs are kept in {folder}" if wrong or options.keep else _removed(folder))
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    known = "postgresql" if postgres_binary("initdb") else "sqlite"
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    add = parser.add_argument
    add("--jobs", type=int, default=30)
    add("--workers", type=int, default=2)
    add("--seed", type=int, default=1)
    add("--json", action="store_true")
    add("--database", choices=("postgresql", "sqlite"), default=known)
    add("--cut", type=float, help="seconds a cut wire lasts (60; 3 when short)")
    add("--pause", type=float, help="seconds between faults, about (4; 0.6 when short)")
    add("--rounds", type=int, help="how often each fault strikes (1 when short; else until all jobs ended)")
    add("--limit", type=float, default=3600.0, help="seconds after which it gives up")
    add("--keep", action="store_true", help="keep the logs also when all went well")
    return parser.parse_args()


def _wrong(result: dict[str, Any], jobs: int) -> list[str]:
    """What must not be, in sentences."""
    done = result["ended"] - sum(result["failed"].values())
    checks = {
        f"{jobs} jobs were ordered, {result['jobs']} are there": result["jobs"] == jobs,
        f"{result['ended']} of {result['jobs']} jobs ended": result["ended"] == result["jobs"],
        f"{result['reports']} reports of {done} done jobs": result["reports"] == done,
        f"{result['doubled']} jobs were reported twice": not result["doubled"],
        f"{result['unfounded']} jobs whose state is not their attempts'": not result["unfounded"],
        f"{result['pointless']} done jobs without points": not result["pointless"],
        f"{result['unreadable']} stored reports cannot be read": not result["unreadable"],
        f"{result['for_a_person']} jobs or builds need a person: {result['failed']}": not result[
            "for_a_person"
        ],
        f"{result['alive_at_end']} attempts still run": not result["alive_at_end"],
        f"a dead worker held a job for {result['held_longest_s']} s; a lease of {result['lease_s']} s and "
        f"two sweeps of {result['sweep_s']} s are {result['may_be_held_s']} s": (
            result["held_longest_s"] <= result["may_be_held_s"]
        ),
        f"{result['stops_late']} workers did not stop within the grace time": not result["stops_late"],
    }
    return [sentence for sentence, right in checks.items() if not right]


def _table(result: dict[str, Any]) -> str:
    rows = {**result, **{f"  {name}": count for name, count in result["faults"].items()}}
    rows.pop("faults")
    return "\n".join(f"{name:28} {value}" for name, value in rows.items())


def _removed(folder: Path) -> str:
    from tests.chaos.run import folder_close

    folder_close(folder)
    return "nothing is left of it"


def _say(sentence: str) -> None:
    sys.stderr.write(f"chaos: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
