"""What holds for every page: the content security policy, no dead link, headings, few queries."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import perfsite.dashboards
from tests.dashboards.conftest import GOOD_S, measured
from tests.dashboards.markup import Page

ROOM = Path(perfsite.dashboards.__file__).parent


def crawl(client, start: str) -> dict[str, Page]:
    """Every page that links lead to from `start`, downloads left out."""
    found: dict[str, Page] = {}
    seen, waiting = set(), [start]
    while waiting:
        address = waiting.pop().partition("#")[0]
        if address in seen or address.startswith("/artifacts/"):
            continue
        seen.add(address)
        answer = client.get(address, follow=True)
        assert answer.status_code == 200, address
        # what is for machines: test_twins.py, tests/api
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        found[address] = Page(answer.content.decode())
        waiting += found[address].links
    return found


def test_no_page_breaks_its_policy_and_no_link_is_dead(world, running_job, failed_job, person):
    pages = crawl(person, "/")
    names = {address.strip("/").split("/")[0] for address in pages}
    assert {"", "projects", "series", "runs", "incidents", "workers", "outbox"} <= names
    for address, page in pages.items():
        assert page.problems == [], address
        assert page.headings.count("h1") == 1, address
        assert page.unnamed == [], f"{address} has a table without a caption"


@pytest.mark.parametrize("address", ["/login/", "/projects/none/", "/search/?q=cnn", "/live/"])
def test_pages_nobody_links_to_keep_the_policy_too(world, person, address):
    assert Page(person.get(address).content.decode()).problems == []


def test_the_parser_finds_what_it_looks_for():
    bad = '<p style="x" onclick="y"><script>alert(1)</script><img src="https://cdn.example/a.png"><style>'
    assert len(Page(bad).problems) == 5


def test_every_answer_carries_the_policy(world, person):
    policy = person.get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_no_page_asks_htmx_for_what_the_policy_forbids(world, person):
    html = person.get("/").content.decode()
    assert '"includeIndicatorStyles": false' in html
    assert '"allowEval": false' in html


def test_nothing_minified_lies_in_the_room():
    own = [path for path in (ROOM / "static" / "dashboards").rglob("*") if path.suffix in (".js", ".css")]
    assert len(own) > 10
    for path in own:
        assert max(map(len, path.read_text().splitlines())) < 320, path


def test_every_static_file_a_template_names_exists():
    from django.contrib.staticfiles.finders import find

    names = set()
    for template in (ROOM / "templates").rglob("*.html"):
        parts = template.read_text().split("{% static '")[1:]
        names |= {part.partition("'")[0] for part in parts}
    assert "vendor/uplot/uPlot.iife.min.js" in names
    missing = [name for name in names if find(name) is None]
    assert missing == [], "install the package (pip install -e .): its build hook fetches uPlot"


@pytest.mark.parametrize(
    "address",
    ["/", "/projects/zoo/", "/projects/zoo/builds/", "/projects/zoo/trends/", "/projects/zoo/incidents/"],
)
def test_queries_do_not_grow_with_the_builds(world, person, address):
    person.get(address)
    with CaptureQueriesContext(
        connection,
    ) as before:
        person.get(address)
    for ordinal in range(20, 30):
        measured(world.project, ordinal, GOOD_S, world.worker)
    with CaptureQueriesContext(connection) as after:
        person.get(address)
    assert len(after) <= len(before)


def test_series_queries_do_not_grow_with_the_points(world, person):
    address = reverse("series-data", args=[world.series.pk])
    with CaptureQueriesContext(connection) as before:
        person.get(address)
    for ordinal in range(20, 30):
        measured(world.project, ordinal, GOOD_S, world.worker)
    with CaptureQueriesContext(connection) as after:
        person.get(address)
    assert len(after) <= len(before)
