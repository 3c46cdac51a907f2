"""What moved: the filter that answers "what regressed in the past year", and the first page."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.dashboards.selectors.lately import moved_spread
from perfsite.regressions.models import Verdict
from perfsite.results.models import Series
from perfsite.runs.models import Project, Worker
from tests.dashboards.conftest import judged
from tests.factories import project_make


def moved(client, **query) -> str:
    answer = client.get(reverse("moved"), query)
    assert answer.status_code == 200, answer.headers
    return answer.content.decode()


def test_a_verdict_counts_by_when_it_was_decided(world, person):
    assert "+19.5" in moved(person, since="day")
    Verdict.objects.update(created_at=timezone.now() - timedelta(days=90))
    assert "Nothing moved" in moved(person, since="month")
    assert "+19.5" in moved(person, since="year", kind="regressed")
    assert "fits the filter" in moved(person, since="year", kind="improved")
    assert "fits the filter" in moved(person, since="year", q="torch cnn h100")
    rows = person.get(reverse("moved"), {"since": "year", "format": "json"}).json()["moved"]
    assert [row["sha"] for row in rows] == [world.builds[5].sha]


def test_the_surest_change_comes_first_and_the_largest_on_demand(world, person):
    base, build = world.builds[1:3]
    large = {"relative": 0.4, "relative_low": 0.05, "relative_high": 0.75, "sentence": "large and unsure"}
    judged(world.series, build, base, **large)
    rows = {
        rank: [
            row["relative"] for row in person.get("/moved/", {"rank": rank, "format": "json"}).json()["moved"]
        ]
        for rank in ("noise", "size")
    }
    assert rows == {"noise": [0.195, 0.4], "size": [0.4, 0.195]}


def test_the_first_page_shows_what_moved_this_week(world, person):
    html = person.get("/").content.decode()
    assert "Moved this week" in html
    assert "+19.5" in html
    assert "1 of them since yesterday" in html


def test_a_stranger_sees_what_moved_in_public_projects_only(world, client):
    project_make(slug="open", is_public=True)
    assert "Nothing moved" in moved(client, since="year")


def costed(world, person, rank: str) -> list[float]:
    body = person.get("/", {"format": "json", "rank": rank}).json()["moved"]
    return [row["cost_per_device_hour"] for row in body]


def test_what_costs_most_comes_first_where_a_price_is_known(world, person):
    base, build = world.builds[1:3]
    other = Series.objects.get(project=world.project, metric="latency_p99")
    # surer than the first, and a tenth of its size
    judged(other, build, base, relative=0.02, relative_low=0.0199, relative_high=0.0201, sentence="small")
    assert costed(world, person, "cost") == [None, None]
    html = person.get("/").content.decode()
    assert "by cost" not in html
    Worker.objects.update(facts={"price_per_hour": 4.0})
    assert costed(world, person, "noise") == pytest.approx([0.08, 0.78])
    assert costed(world, person, "cost") == pytest.approx([0.78, 0.08])
    html = person.get("/").content.decode()
    assert "?rank=cost" in html
    assert "+0.78" in html
    ranked = person.get("/moved/", {"rank": "cost", "format": "json"}).json()["moved"]
    assert [row["relative"] for row in ranked] == [0.195, 0.02]


def test_a_rate_that_falls_costs_its_inverse_and_memory_nothing(world, person):
    Worker.objects.update(facts={"price_per_hour": 2.0})
    base, build = world.builds[1:3]
    for metric, relative in (("throughput", -0.2), ("gpu_peak_memory", 0.5)):
        series = Series.objects.get(pk=world.series.pk)
        series.pk, series.key, series.metric = None, metric, metric
        series.save()
        judged(series, build, base, relative=relative, sentence=metric)
    body = person.get("/moved/", {"format": "json"}).json()["moved"]
    costs = {row["metric"]: row["cost_per_device_hour"] for row in body}
    assert costs == {
        "throughput": pytest.approx(0.5),
        "gpu_peak_memory": None,
        "latency_p50": pytest.approx(0.39),
    }


def test_what_a_device_costs_is_not_for_strangers(world, client):
    Project.objects.update(is_public=True)
    Worker.objects.update(facts={"price_per_hour": 2.0})
    for address in ("/?format=json", "/moved/?format=json&rank=cost"):
        assert {row["cost_per_device_hour"] for row in client.get(address).json()["moved"]} == {None}


def test_a_commit_that_moved_many_hides_no_other(world):
    first, second = world.builds[5], world.builds[6]
    sure = [Verdict(pk=number, build=first, kind="regressed") for number in range(1, 13)]
    other = Verdict(pk=20, build=second, kind="regressed")
    spread = moved_spread([*sure, other], most=8)
    assert [row.pk for row in spread] == [1, 2, 3, 4, 5, 6, 7, 20]
    assert [row.pk for row in moved_spread(sure, most=8)] == list(range(1, 9))
