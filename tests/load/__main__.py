"""How quick the intake and the claim are: starts a service of its own, on loopback, and prints a table.

    python -m tests.load [--rate 50] [--seconds 30] [--pushes 100] [--json]

Webhooks are sent open-loop: each at its time, whether or not the one before was answered, and the
wait is counted from that time.  Claims are timed one push at a time, with an idle queue.
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from datetime import datetime
from pathlib import Path

import httpx
import numpy as np

from tests.e2e.service import Service, Watched, wait_for

CONFIG = """
version = 1
[models.cnn]
catalogue = "tiny-cnn"
runners = ["torch"]
suites = ["latency"]
duration = 0.1
"""


_CLAIMED = """
SELECT claimed_at FROM runs_attempt JOIN runs_job ON runs_job.id = runs_attempt.job_id
WHERE runs_job.kind = 'measure' ORDER BY runs_attempt.id
"""


def percentiles(seconds: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(seconds, [50, 99])
    return {
        "p50_ms": round(p50 * 1e3, 1),
        "p99_ms": round(p99 * 1e3, 1),
        "max_ms": round(max(seconds) * 1e3, 1),
    }


async def webhooks(watched: Watched, rate: float, seconds: float) -> dict:
    """Pushes of one new commit each; git does not have them, so that only the intake works."""
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=100)) as client:
        start = time.perf_counter() + 0.5

        async def one(number: int) -> tuple[int, float]:
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            request = watched.push_request(f"{number:040x}")
            answer = await client.post(request["url"], content=request["content"], headers=request["headers"])
            return answer.status_code, time.perf_counter() - due

        answers = await asyncio.gather(*(one(number) for number in range(1, int(rate * seconds) + 1)))
    codes = [code for code, _ in answers]
    return {
        "requests": len(answers),
        "rate_per_s": rate,
        "accepted": codes.count(202),
        **percentiles([wait for _, wait in answers]),
    }


def claims(service: Service, watched: Watched, pushes: int) -> dict:
    """From the delivery's row to the attempt's, by the database's own clock."""
    sha = watched.commit("one", perfsite_DOT_toml=CONFIG)
    for number in range(pushes):
        assert watched.push(sha).status_code == 202
        wait_for(lambda count=number + 1: _ended(service, watched.slug) == count, 120)
        sha = watched.commit(f"{number}", code_DOT_py=str(number))
    with sqlite3.connect(service.data / "perfsite.sqlite3") as database:
        received = _column(database, "SELECT received_at FROM webhooks_delivery ORDER BY id")
        claimed = _column(database, _CLAIMED)
    # one push, one build, one measure job, one attempt each, in this order
    waits = [(late - early).total_seconds() for early, late in zip(received, claimed, strict=True)]
    return {"pushes": len(waits), **percentiles(waits)}


def _column(database: sqlite3.Connection, query: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for (text,) in database.execute(query)]


def _ended(service: Service, slug: str) -> int:
    return sum((job["kind"], job["state"]) == ("measure", "done") for job in service.jobs(slug))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pushes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), short_terms=False)
        try:
            service.up()
            service.token = service.manage("token", "add", "load", "--purpose", "read").strip()
            figures = {"claim": claims(service, Watched(service, "claims"), options.pushes)}
            intake = Watched(service, "intake")
            figures["webhook"] = asyncio.run(webhooks(intake, options.rate, options.seconds))
        finally:
            service.close()
    if options.json:
        print(json.dumps(figures))
        return
    for what, row in figures.items():
        print(what, "  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
