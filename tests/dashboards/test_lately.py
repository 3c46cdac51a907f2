"""What moved: the filter that answers "what regressed in the past year", and the first page."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from perfsite.regressions.models import Verdict
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
