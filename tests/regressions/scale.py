"""How long the screen of one push takes: 10,000 series with a history, one new point each.

    python -m tests.regressions.scale [--series 10000] [--reports 100] [--history 200] [--profile]

On SQLite in a temporary folder, or on the server that `DATABASE_URL` names, in a database of its own that
is dropped at the end.  Prints a row a push: `rebuilt` finds no state and reads the histories, `carried` is
what every later push costs; then where the time of the last push went.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import resource
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["PERFSITE_LOG"] = "ERROR"  # no broker hears the wake-ups of what is ordered here
django.setup()

from django.db import connection  # noqa: E402 - needs the settings

from benchmarks.cases import Case  # noqa: E402
from perfsite.regressions import services  # noqa: E402
from perfsite.regressions.models import SeriesState, Suspicion  # noqa: E402
from perfsite.regressions.screening import part, turn, worklist  # noqa: E402
from perfsite.regressions.screening.state import Memory  # noqa: E402
from perfsite.results.models import Environment, Report, Series  # noqa: E402
from perfsite.runs.models import Attempt, Build, Job, Run  # noqa: E402
from tests import factories  # noqa: E402

METRICS = ("latency_p50", "latency_p90", "throughput", "host_peak_memory")

# normal noise of 1 % by the sum of four uniform hashes (the variance of one is 1/12)
_WAVE = "SIN(s.id * {a} + b.ordinal * {b}) * 43758.5453"
_UNIFORM = f"({_WAVE} - FLOOR({_WAVE}))"
_SEEDS = ((12.9, 78.2), (39.3, 11.1), (73.1, 52.2), (27.7, 91.7))
_NOISE = " + ".join(_UNIFORM.format(a=a, b=b) for a, b in _SEEDS)
_POINTS = f"""
INSERT INTO results_measurement (series_id, ordinal, value, n, unstable, build_id, job_id)
SELECT s.id, b.ordinal, 0.01 * (1 + 0.01 * 1.732 * ({_NOISE} - 2)), 1000, {{false}}, b.id, j.id
FROM results_series s JOIN runs_build b ON b.ordinal BETWEEN %s AND %s
JOIN runs_run r ON r.build_id = b.id JOIN runs_job j ON j.run_id = r.id AND j.model = s.model
"""


@contextmanager
def database(folder: str):
    """An empty database with all tables."""
    connection.settings_dict["TEST"]["NAME"] = (
        f"{folder}/scale.sqlite3" if connection.vendor == "sqlite" else "perfsite_scale"
    )
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


def fill(series: int, reports: int, history: int, pushes: int) -> None:
    """The builds, jobs and series, and the points of all builds of the history."""
    project = factories.project_make(slug="scale")
    builds = Build.objects.bulk_create(
        Build(project=project, branch="main", sha=f"{place:040x}", ordinal=place, state="planned")
        for place in range(1, history + pushes + 1)
    )
    runs = Run.objects.bulk_create(Run(build=build, device_class="cpu", state="done") for build in builds)
    cases = series // reports // len(METRICS)
    specs = [
        {
            "source": {"kind": "catalogue", "ref": "tiny-cnn"},
            "cases": [
                Case(model=f"m{number}", runner="torch", suite="latency", batch=batch).model_dump()
                for batch in range(1, cases + 1)
            ],
        }
        for number in range(reports)
    ]
    for run in runs:
        full = run.build.ordinal > history - 20  # those that a suspicion may name
        Job.objects.bulk_create(
            Job(
                run=run, device_class="cpu", model=f"m{number}", precision="fp32", state="done",
                spec=specs[number] if full else {},
            )
            for number in range(reports)
        )  # fmt: skip
    Series.objects.bulk_create(
        Series(
            key=f"{number}-{batch}-{metric}", project=project, branch="main", device_class="cpu", split="",
            model=f"m{number}", runner="torch", precision="fp32", shape=f"b{batch}", suite="latency",
            metric=metric,
        )
        for number in range(reports) for batch in range(1, cases + 1) for metric in METRICS
    )  # fmt: skip
    points_make(1, history)


def points_make(first: int, last: int) -> None:
    """The points of the builds from `first` to `last` for every series."""
    false = "0" if connection.vendor == "sqlite" else "FALSE"
    with connection.cursor() as cursor:
        cursor.execute(_POINTS.format(false=false), [first, last])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")  # as the server does by itself between two pushes


def push(ordinal: int) -> None:
    """The reports of one build come home."""
    worker = factories.worker_make()
    environment, _ = Environment.objects.get_or_create(sha256="0", defaults={"facts": {}, "split": ""})
    jobs = Job.objects.filter(run__build__ordinal=ordinal)
    attempts = Attempt.objects.bulk_create(
        Attempt(job=job, number=1, worker=worker, state="reported", lease_expires_at=job.created_at)
        for job in jobs
    )
    points_make(ordinal, ordinal)
    Report.objects.bulk_create(
        Report(job=attempt.job, attempt=attempt, environment=environment, kind="measure")
        for attempt in attempts
    )


class Stages:
    """Seconds spent in functions, and in the database inside of everything."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.queries = 0

    def __call__(self, execute, sql, params, many, context):
        """Time a query; Django calls it."""
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.queries += 1
            self.seconds["(queries, of all)"] += time.perf_counter() - start

    def watch(self, owner: object, name: str, label: str):
        """Count the seconds of `owner.name`."""
        inside = getattr(owner, name)

        def timed(*args, **kwargs):
            start = time.perf_counter()
            try:
                return inside(*args, **kwargs)
            finally:
                self.seconds[label] += time.perf_counter() - start

        return patch.object(owner, name, timed)


def stages_watch(stages: Stages, stack: ExitStack) -> None:
    """Watch the steps of the screen."""
    stack.enter_context(connection.execute_wrapper(stages))
    for owner, name, label in (
        (worklist, "points_judged", "read points and places"),
        (worklist, "states_lock", "read and lock states"),
        (Memory, "from_json", "unpack states"),
        (turn, "_turn_take", "take points"),
        (turn, "memories_quiet", "judge all together"),
        (turn, "timed_judge", "judge one by one"),
        (Memory, "as_json", "pack states"),
        (part, "_suspicions_open", "open suspicions"),
        (worklist, "build_waits", "look for earlier builds"),
        (services, "_states_mend", "look for force-pushes"),
        (part, "states_save", "write states"),
        (part, "_verdicts_write", "write verdicts"),
        (services, "suspicions_order", "order comparisons"),
        (services, "suspicions_settle", "settle comparisons"),
    ):
        stack.enter_context(stages.watch(owner, name, label))


def server_seconds() -> float:
    """Processor seconds of the server's process that works for us; 0 where it is not on this machine."""
    if connection.vendor == "sqlite":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def measure(label: str, ordinal: int, *, staged: bool = False, profiled: bool = False) -> None:
    """Let a push come home and print how long its screen took."""
    push(ordinal)
    doubts = Suspicion.objects.count()
    stages, profile = Stages(), cProfile.Profile()
    with ExitStack() as stack:
        if staged:
            stages_watch(stages, stack)
        if profiled:
            stack.enter_context(profile)
        server, wall, cpu = server_seconds(), time.perf_counter(), time.process_time()
        services.reports_screen()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        server = server_seconds() - server
    left = Report.objects.filter(screened_at=None).count()
    print(
        f"{label:10} build {ordinal}: {wall:5.2f} s wall; "
        f"processor {cpu:5.2f} s here, {server:5.2f} s server; "
        f"suspicions {Suspicion.objects.count() - doubts}, reports left {left}",
        flush=True,
    )
    if staged:
        print(f"  {stages.queries} queries")
        for name, seconds in sorted(stages.seconds.items(), key=lambda row: -row[1]):
            print(f"  {name:30} {seconds:6.2f} s")
    if profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def main() -> None:
    """Fill, push and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=100)
    parser.add_argument("--history", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(folder):
        start = time.perf_counter()
        fill(options.series, options.reports, options.history, 5)
        print(
            f"{connection.vendor}: {Series.objects.count()} series in {options.reports} reports, "
            f"{options.history} points each, filled in {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        if options.history:
            newest = Build.objects.get(ordinal=options.history)
            SeriesState.objects.bulk_create(
                SeriesState(series=row, screened_through=options.history, build=newest)
                for row in Series.objects.all()
            )
        first = options.history + 1
        measure("rebuilt", first)
        for place in (first + 1, first + 2):
            measure("carried", place)
        measure("watched", first + 3, staged=True)
        if options.profile:
            measure("profiled", first + 4, profiled=True)
        print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
