"""A fleet past one machine, simulated: who waits how long, what the database holds, what breaks first (pure).

    python -m perfsite.bench.fleet --gpus 1000 --projects 100 --pushes 1000 --series 100000 --bench bench.json

Rates that a site serves are of `manage.py bench --json`; bytes a row were measured with ten million points.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DAY_S = 86_400
BYTES = {"point": 228, "report": 621, "job": 949, "attempt": 245, "build": 588}
"""PostgreSQL 15, indexes included: `pg_total_relation_size` over rows, of a generated history of ten million
points, 190,000 jobs and 5,154 builds (2026-11-29)."""
HOURS = (1, 1, 1, 1, 1, 1, 2, 3, 6, 8, 9, 9, 7, 8, 9, 9, 8, 6, 4, 3, 2, 2, 1, 1)
"""How pushes spread over a day: two thirds of them in nine hours."""


@dataclass(frozen=True)
class Fleet:
    """`job_s` is the mean time a job takes a GPU; `points` are measurements a job reports, `body` bytes of
    its compressed report; `odd` is the share of jobs that a comparison of `compare_s` follows."""

    gpus: int = 1000
    classes: int = 5
    projects: int = 100
    pushes: int = 1000
    series: int = 100_000
    points: int = 100
    job_s: float = 300.0
    body: int = 60_000
    odd: float = 0.02
    compare_s: float = 900.0
    heartbeat_s: float = 5.0
    poll_s: float = 30.0
    days: int = 2

    @property
    def jobs_per_push(self) -> int:
        """A push measures every series of its project once on each of its device classes."""
        return max(1, round(self.series / self.projects / self.points))


@dataclass(frozen=True)
class Queue:
    """Seconds jobs waited, how many waited at most, and the busy share of the GPUs at the busiest hour."""

    jobs: int
    wait_p50_s: float
    wait_p99_s: float
    deepest: int
    busy_mean: float
    busy_peak: float


def queue_simulate(fleet: Fleet, *, seed: int = 1) -> Queue:
    """Pushes at random times of the day's shape; each class of GPUs serves jobs in order of arrival."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    waits: list[float] = []
    spans: list[tuple[float, float]] = []
    deepest = 0
    for arrivals in _arrivals(fleet, rng):
        free = [0.0] * (fleet.gpus // fleet.classes)
        deepest += _class_serve(arrivals, free, waits, spans)
    waits.sort()
    busy = _busy_by_hour(spans, fleet)
    return Queue(
        jobs=len(waits),
        wait_p50_s=waits[len(waits) // 2],
        wait_p99_s=waits[int(0.99 * len(waits))],
        deepest=deepest,
        busy_mean=sum(last - first for first, last in spans) / (fleet.days * DAY_S * fleet.gpus),
        busy_peak=max(busy),
    )


def _arrivals(fleet: Fleet, rng: random.Random) -> list[list[tuple[float, float]]]:
    """When each job comes and how long it takes, for each class in order."""
    found: list[list[tuple[float, float]]] = [[] for _ in range(fleet.classes)]
    hours = rng.choices(range(24), HOURS, k=fleet.pushes * fleet.days)
    for number, hour in enumerate(hours):
        at = (number % fleet.days) * DAY_S + hour * 3600 + rng.uniform(0, 3600)
        kind = rng.randrange(fleet.classes)
        for _ in range(fleet.jobs_per_push):
            seconds = rng.lognormvariate(0, 0.8) * fleet.job_s / 1.377  # its mean is job_s
            found[kind].append((at, seconds))
            if rng.random() < fleet.odd:
                found[kind].append((at + seconds, fleet.compare_s))
    return [sorted(rows) for rows in found]


def _class_serve(
    arrivals: Sequence[tuple[float, float]],
    free: list[float],
    waits: list[float],
    spans: list[tuple[float, float]],
) -> int:
    """Serve in order of arrival; returns how many waited at most."""
    heapq.heapify(free)
    starts: list[float] = []
    deepest = 0
    for at, seconds in arrivals:
        begun = max(at, heapq.heappop(free))
        heapq.heappush(free, begun + seconds)
        waits.append(begun - at)
        spans.append((begun, begun + seconds))
        while starts and starts[0] <= at:
            heapq.heappop(starts)
        if begun > at:
            heapq.heappush(starts, begun)
        deepest = max(deepest, len(starts))
    return deepest


def _busy_by_hour(spans: Sequence[tuple[float, float]], fleet: Fleet) -> list[float]:
    """The share of the GPUs that work, hour by hour."""
    hours = [0.0] * (fleet.days * 24 + 48)
    for first, last in spans:
        at = first
        while at < last:
            hour = int(at // 3600)
            end = min(last, (hour + 1) * 3600)
            hours[min(hour, len(hours) - 1)] += end - at
            at = end
    return [seconds / 3600 / fleet.gpus for seconds in hours[: fleet.days * 24]]


def requests_at_peak(fleet: Fleet, queue: Queue) -> dict[str, float]:
    """Requests a second that the site gets in the busiest hour."""
    hour = max(HOURS) / sum(HOURS) * fleet.pushes
    jobs = hour * fleet.jobs_per_push * (1 + fleet.odd) / 3600
    return {
        "webhooks accepted": hour / 3600,
        "reports of 100 measurements stored": jobs * fleet.points / 100,
        # each job ends with a question for the next, and who has none asks every poll
        "claims under contention": jobs + fleet.gpus * (1 - queue.busy_peak) / fleet.poll_s,
        "heartbeats kept": fleet.gpus * queue.busy_peak / fleet.heartbeat_s,
        "heartbeats kept, every GPU at work": fleet.gpus / fleet.heartbeat_s,
    }


def growth_per_year(fleet: Fleet) -> dict[str, dict[str, float]]:
    """Rows and bytes that a year adds, table by table, and the reports' bodies beside the database."""
    builds = fleet.pushes * 365.0
    jobs = builds * fleet.jobs_per_push * (1 + fleet.odd)
    rows = {
        "point": builds * fleet.jobs_per_push * fleet.points,
        "report": jobs,
        "job": jobs,
        "attempt": jobs,
    }
    told = {
        name: {"rows": count, "bytes": count * BYTES[name]}
        for name, count in {**rows, "build": builds}.items()
    }
    return {**told, "report bodies (files)": {"rows": jobs, "bytes": jobs * fleet.body}}


def fleet_told(fleet: Fleet, served: dict[str, float]) -> dict[str, Any]:
    """Everything; `served` has the requests a second of each kind that one machine was measured to serve."""
    queue = queue_simulate(fleet)
    wanted = requests_at_peak(fleet, queue)
    loads = {
        name: {"wanted": rate, "served": served[kind], "share": rate / served[kind]}
        for name, rate in wanted.items()
        if (kind := name.partition(",")[0]) in served and served[kind] > 0
    }
    year = growth_per_year(fleet)
    daily = {name: row["rows"] / 365 for name, row in year.items()}
    return {
        "fleet": asdict(fleet) | {"jobs_per_push": fleet.jobs_per_push},
        "queue": asdict(queue),
        "loads": loads,
        "breaks_first": sorted(loads, key=lambda name: -loads[name]["share"]),
        "year": year,
        "rows_per_s_mean": sum(daily.values()) / DAY_S,
        "rows_per_s_peak": sum(daily.values()) * max(HOURS) / sum(HOURS) / 3600,
    }


def served_read(path: Path, database: str) -> dict[str, float]:
    """The rates of a benchmark's JSON, those with the most points in the database."""
    rows = json.loads(path.read_text())["rows"]
    mine = [
        row for row in rows if row["database"] == database and row["unit"] == "1/s" and ":" not in row["what"]
    ]
    return {row["what"]: row["value"] for row in sorted(mine, key=lambda row: row["points"])}


def main() -> int:
    """Print it as JSON, or as lines for people."""
    parser = argparse.ArgumentParser(prog="python -m perfsite.bench.fleet", description=__doc__)
    for name in ("gpus", "classes", "projects", "pushes", "series", "days"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Fleet, name))
    parser.add_argument("--job-s", type=float, default=Fleet.job_s)
    parser.add_argument("--bench", type=Path, help="output of manage.py bench --json: what a site serves")
    parser.add_argument("--database", default="postgresql")
    parser.add_argument("--json", action="store_true")
    given = vars(parser.parse_args())
    served = served_read(given.pop("bench"), given["database"]) if given["bench"] else {}
    as_json = given.pop("json")
    fields = {name: value for name, value in given.items() if name not in ("bench", "database")}
    told = fleet_told(Fleet(**fields), served)
    sys.stdout.write((json.dumps(told, indent=1) if as_json else lines_told(told)) + "\n")
    return 0


def lines_told(told: dict[str, Any]) -> str:
    """The same in lines."""
    queue = told["queue"]
    lines = [
        f"{queue['jobs']:,} jobs in {told['fleet']['days']} days, {told['fleet']['jobs_per_push']} a push; "
        f"wait p50 {queue['wait_p50_s']:.0f} s, p99 {queue['wait_p99_s']:.0f} s; at most {queue['deepest']:,}"
        f" wait; GPUs busy {queue['busy_mean']:.1%}, in the busiest hour {queue['busy_peak']:.1%}",
        f"rows written: {told['rows_per_s_mean']:.0f}/s, in the busiest hour {told['rows_per_s_peak']:.0f}/s",
    ]
    lines += [
        f"  a year: {name:24} {row['rows'] / 1e6:8.1f} million rows {row['bytes'] / 2**30:8.1f} GiB"
        for name, row in told["year"].items()
    ]
    lines += [
        f"  {name:40} wanted {row['wanted']:7.1f}/s, served {row['served']:7.1f}/s: {row['share']:.0%}"
        for name, row in ((name, told["loads"][name]) for name in told["breaks_first"])
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
