"""Every page of the URL configuration has its twins, or stands below with the reason why not."""

import csv
import io

import pytest
from django.core.files.base import ContentFile
from django.urls import NoReverseMatch, reverse

from perfsite.dashboards.urls import urlpatterns
from perfsite.pulls.models import PullHead, PullRequest
from perfsite.results.models import Artifact
from tests.dashboards.test_page_soak import CASE, readings_make
from tests.factories import build_make, job_make

WITHOUT = {
    "live": "a part of the home page that keeps itself fresh",
    "run-live": "a part of the run's page that keeps itself fresh",
    "series-data": "JSON itself: what the chart draws",
    "artifact": "a file, as it was stored",
    "alerts": "settings: the API's notifications tell what was sent",
    "alert-rule": "a form",
    "alert-rule-new": "a form",
    "alert-channel": "a form",
    "alert-channel-new": "a form",
    "alert-rule-remove": "a question",
    "alert-channel-remove": "a question",
    "schedule": "a form",
    "schedule-remove": "a question",
    "note-remove": "a question",
    "mark-remove": "a question",
    "project-new": "a form",
    "project-settings": "a form",
    "member-remove": "a question",
    "tokens": "settings: keys are not handed out in bulk",
    "webhook-settings": "settings: the API's deliveries tell what came",
    "chart": "a picture, for a chat's servers",
    "mute": "a form behind a link of a mail",
    "outbox": "mails: the API hands them out",
    "mail": "one mail, as its reader would see it",
    "login": "a form",
    "logout": "no page",
}


@pytest.fixture
def places(world, running_job) -> dict[str, dict]:
    """What an address of each name needs, by the name of its parameters."""
    pull = PullRequest.objects.create(project=world.project, forge="github", number=7, author="eve")
    PullHead.objects.create(pull=pull, sha="a" * 40, state="waiting")
    soaked = job_make(build_make(world.project, 30), CASE)
    content = readings_make().model_dump_json().encode()
    file = Artifact(job=soaked, name="soak-torch.b1.json", kind="other", sha256="5" * 64, size=len(content))
    file.file.save(file.name, ContentFile(content))
    return {
        "build": {"slug": "zoo", "pk": world.skipped.pk},
        "incident": {"slug": "zoo", "pk": world.incident.pk},
        "pull": {"slug": "zoo", "forge": "github", "number": 7},
        "series": {"pk": world.series.pk},
        "run": {"pk": world.jobs[5].run_id},
        "soak": {"pk": soaked.pk},
    }


def pages(places: dict[str, dict], person) -> dict[str, str]:
    """The address of every page that may be read, by its name."""
    found = {}
    for entry in urlpatterns:
        name = entry.name
        if name in WITHOUT:
            continue
        for values in (places.get(name), {"slug": "zoo"}, {}):
            try:
                address = reverse(name, kwargs=values)
            except NoReverseMatch:
                continue
            if person.get(address).status_code != 405:  # what only takes a POST is no page
                found[name] = address
            break
        else:
            # of an address that needs more than the test knows, a write is told by its answer to a GET
            parts = dict.fromkeys(entry.pattern.converters, 1)
            words = {"action": "note", "forge": "github", "slug": "zoo", "kind": "email", "token": "x"}
            answer = person.get(reverse(name, kwargs=parts | {k: v for k, v in words.items() if k in parts}))
            assert answer.status_code == 405, f"{name} is a page: say in `places` where one is"
    return found


def test_every_page_comes_as_csv_and_as_json(places, person):
    found = pages(places, person)
    assert {"home", "project", "incidents", "search", "workers", "grading", "soak", "audit"} <= set(found)
    for name, address in found.items():
        answer = person.get(address, {"format": "json"})
        assert answer.status_code == 200, name
        assert answer.headers["Content-Type"].startswith("application/json"), name
        tables = answer.json()
        assert tables, name
        for table, rows in tables.items():
            told = person.get(address, {"format": "csv", "table": table})
            assert told.headers["Content-Type"].startswith("text/csv"), (name, table)
            read = list(csv.DictReader(io.StringIO(told.content.decode())))
            assert len(read) == len(rows), (name, table)
        assert b"format=csv" in person.get(address).content, f"{name} does not link to its twins"


def test_the_list_of_pages_without_twins_is_true(places, person):
    assert set(WITHOUT) <= {entry.name for entry in urlpatterns}
    for name in ("alerts", "tokens"):
        answer = person.get(reverse(name, args=["zoo"]), {"format": "json"})
        assert answer.headers["Content-Type"].startswith("text/html"), f"{name} has twins: strike it off"


def test_home_tells_what_it_shows(world, running_job, person):
    body = person.get("/", {"format": "json"}).json()
    assert [row["project"] for row in body["projects"]] == ["zoo"]
    assert [row["incident"] for row in body["incidents"]] == [world.incident.pk]
    assert [row["relative"] for row in body["moved"]] == [0.195]
    assert [(row["job"], row["fraction"]) for row in body["running"]] == [(running_job.pk, 0.66)]


def test_incidents_tell_their_worst_regression(world, person):
    (row,) = person.get("/incidents/", {"format": "json"}).json()["incidents"]
    assert (row["regressions"], row["worst_relative"]) == (1, 0.195)
    assert row["worst_series"] == world.series.label


def test_search_and_workers_and_grading(world, person):
    found = person.get("/search/", {"q": "cnn", "format": "json"}).json()
    assert {row["series"] for row in found["series"]} >= {world.series.pk}
    (worker,) = person.get("/workers/", {"format": "json"}).json()["workers"]
    assert worker["worker"] == "bench-1"
    figures = person.get("/projects/zoo/grading/", {"format": "json"}).json()["figures"]
    assert figures[0]["kind"] == "all"
