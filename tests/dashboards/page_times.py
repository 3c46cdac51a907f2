"""How long the site needs for each page, and how much it sends: `python -m tests.dashboards.page_times`.

Run it on a database that `manage.py generate_history` filled (`DATABASE_URL` or `PERFSITE_DATA` say which).
Every page is asked for in this process through the whole stack of middleware, as a logged-in reader, the
pages in turns so that a busy moment of the machine hits all of them alike.  `wall` is what a reader waits for,
`cpu` what this process computed: their distance is the database and whatever else the machine did.
"""  # noqa: E501

from __future__ import annotations

import argparse
import gzip
import os
import time
from dataclasses import dataclass, field

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "perfsite.settings")
os.environ.setdefault("PERFSITE_LOG", "ERROR")

import django

django.setup()

import numpy as np  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from perfsite.core.garbage import startup_freeze  # noqa: E402
from perfsite.regressions.models import Incident, Verdict  # noqa: E402
from perfsite.results.models import Series  # noqa: E402
from perfsite.runs.models import Project, Run  # noqa: E402


@dataclass
class Page:
    """One address and what was seen of it, in milliseconds."""

    name: str
    address: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    queries: int = 0
    size: int = 0
    packed: int = 0


def pages_of(project: Project) -> list[Page]:
    """Every page of a project worth timing; the series is one that moved."""
    moved = Verdict.objects.filter(series__project=project, kind="regressed").order_by("-id").first()
    series = moved.series if moved else Series.objects.filter(project=project).first()
    run = Run.objects.filter(build__project=project, build__points__isnull=False).order_by("-id").first()
    incident = Incident.objects.filter(project=project).order_by("-opened_at").first()
    slug = project.slug
    found = [
        Page("home", reverse("home")),
        Page("project", reverse("project", args=[slug])),
        Page("trends", reverse("trends", args=[slug])),
        Page("trends, typed", reverse("trends", args=[slug]) + "?q=resnet50+fp16+p50"),
        Page("builds", reverse("builds", args=[slug])),
        Page("builds, page 90", reverse("builds", args=[slug]) + "?page=90"),
        Page("incidents", reverse("incidents")),
        Page("series", reverse("series", args=[series.pk])),
        Page("series JSON", reverse("series-data", args=[series.pk])),
        Page("moved, year", reverse("moved") + "?since=year&kind=regressed"),
        Page("grid", reverse("grid", args=[slug])),
        Page("compare", reverse("compare", args=[slug])),
        Page("hardware", reverse("hardware", args=[slug]) + "?p99=50&qps=1000"),
        Page("run", reverse("run", args=[run.pk])),
        Page("grading", reverse("grading", args=[slug])),
        Page("workers", reverse("workers")),
        Page("search", reverse("search") + "?q=resnet50+fp16"),
    ]
    if incident:
        found.append(Page("incident", reverse("incident", args=[slug, incident.pk])))
    return found


def page_ask(client: Client, page: Page) -> None:
    """One request, its times noted.

    Raises:
        SystemExit: the site did not answer 200.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    answer = client.get(page.address)
    page.wall.append(1e3 * (time.perf_counter() - wall))
    page.cpu.append(1e3 * (time.process_time() - cpu))
    if answer.status_code != 200:
        raise SystemExit(f"{page.address} answered {answer.status_code}")
    page.size, page.packed = len(answer.content), len(gzip.compress(answer.content, 6))


def main() -> None:
    """Time every page and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", default="history")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="", help="pages whose name begins so")
    options = parser.parse_args()
    project = Project.objects.get(slug=options.project)
    user, _ = get_user_model().objects.get_or_create(username="page-times", defaults={"is_superuser": True})
    client = Client(HTTP_HOST="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    startup_freeze()  # as the server does
    pages = [page for page in pages_of(project) if page.name.startswith(options.only)]
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            page_ask(client, page)
        page.queries = len(queries)
    first = {page.name: page.wall.pop() for page in pages}
    for page in pages:
        page.cpu.clear()
    for _ in range(options.rounds):
        for page in pages:
            page_ask(client, page)
    load = os.getloadavg()[0]
    print(f"{connection.vendor}, {options.rounds} rounds, load {load:.1f} on {os.cpu_count()} processors")
    print("| page | first ms | wall p50 ms | wall p95 ms | cpu p50 ms | queries | bytes | gzip |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for page in pages:
        half, most = np.percentile(page.wall, [50, 95])
        print(
            f"| {page.name} | {first[page.name]:.0f} | {half:.0f} | {most:.0f} | {np.median(page.cpu):.0f} "
            f"| {page.queries} | {page.size:,} | {page.packed:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
