"""`python -m tests.fuzz --inputs 100000 --seed 1`: bad input for everything that reads from outside.

Prints a row per target and how its inputs ended; status 1 when one let an exception through, answered 5xx,
took longer than `--slowest` seconds, or made the process grow by more than `--growth` MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections import Counter
from typing import Any

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "PERFSITE_LOG": "CRITICAL"}
_SERVED_SHARE = 0.3
"""Of the inputs that go through the whole site, which takes about ten times as long."""


def main() -> int:
    """Feed every target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--slowest", type=float, default=10.0, help="seconds one input may take")
    parser.add_argument("--growth", type=float, default=512.0, help="MiB the process may grow by")
    options = parser.parse_args()
    rows, before = [], _peak_mib()
    for name, target, count in _portions(options.inputs):
        rows.append({"target": name, **fed(target, count=count, seed=options.seed)})
        if not options.json:
            print(_line(rows[-1]), flush=True)
    told = {
        "inputs": sum(row["inputs"] for row in rows),
        "findings": [f"{row['target']}: {row['finding']}" for row in rows if row["finding"]],
        "slowest_s": max(row["slowest_s"] for row in rows),
        "grown_mib": round(_peak_mib() - before, 1),
        "seed": options.seed,
    }
    print(json.dumps({**told, "targets": rows}) if options.json else json.dumps(told, indent=1))
    wrong = told["findings"] or told["slowest_s"] > options.slowest or told["grown_mib"] > options.growth
    return 1 if wrong else 0


def _portions(inputs: int) -> list[tuple[str, Any, int]]:
    """Every target with its number of inputs, `inputs` in all."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_test_environment

    from tests.fuzz.served import Served
    from tests.fuzz.targets import PURE

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    settings.API_PER_MINUTE = {"worker": 10**9, "": 10**9}
    settings.WEBHOOK_REFUSALS_PER_MINUTE = 10**9
    served = Served().targets()
    through = int(inputs * _SERVED_SHARE)
    return [*_shared(PURE, inputs - through), *_shared(served, through)]


def _shared(targets: dict[str, Any], inputs: int) -> list[tuple[str, Any, int]]:
    each, more = divmod(inputs, len(targets))
    return [(name, target, each + (place < more)) for place, (name, target) in enumerate(targets.items())]


def fed(target: Any, *, count: int, seed: int) -> dict[str, Any]:
    """Feed one target `count` inputs; the smallest input that breaks it is told."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    ends: Counter[str] = Counter()
    slowest = 0.0

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(target.inputs)
    def feed(value: Any) -> None:
        nonlocal slowest, broke
        started = time.perf_counter()
        try:
            end = target.feed(value)
        except Exception:
            broke = repr(value)  # the last one to break is the smallest that hypothesis found
            raise
        slowest = max(slowest, time.perf_counter() - started)
        ends[end] += 1

    finding = broke = ""
    try:
        feed()
    except Exception as error:
        finding = f"{type(error).__name__}: {error}; given {broke}"[:1000]
    return {
        "inputs": sum(ends.values()),
        "ends": dict(ends),
        "slowest_s": round(slowest, 3),
        "finding": finding,
    }


def _line(row: dict[str, Any]) -> str:
    ends = ", ".join(f"{end} {count}" for end, count in sorted(row["ends"].items()))
    return f"{row['target']:36} {row['inputs']:7}  slowest {row['slowest_s']:.2f} s  {ends}  {row['finding']}"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
