"""The CSV and JSON twins of the pages, and what a person writes on a series."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.dashboards.charts.forge import commit_url, diff_url
from perfsite.dashboards.charts.histogram import histogram_pair
from perfsite.dashboards.charts.series import Scale
from perfsite.dashboards.models import Note
from perfsite.regressions.models import Suspicion, Verdict
from perfsite.runs.models import Build
from tests.dashboards.conftest import BAD_S, GOOD_S


def rows_of(answer) -> list[dict]:
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_both_twins_hold_the_points_of_the_zoom(world, person):
    address = reverse("series", args=[world.series.pk])
    rows = rows_of(person.get(address, {"format": "csv", "first": 2, "last": 3}))
    assert [row["ordinal"] for row in rows] == ["2", "3"]
    assert float(rows[0]["value"]) == GOOD_S
    body = person.get(address, {"format": "json", "first": 2, "last": 3}).json()
    assert [row["sha"] for row in body["points"]] == [row["sha"] for row in rows]
    assert body["changes"][0]["verdict"] == "regressed"
    changes = rows_of(person.get(address, {"format": "csv", "table": "changes"}))
    assert changes[0]["sha"] == world.builds[5].sha


def test_trends_builds_and_runs_have_twins_too(world, person):
    series = rows_of(person.get(reverse("trends", args=["zoo"]), {"format": "csv", "q": "p50"}))
    assert [(row["metric"], float(row["newest"])) for row in series] == [("latency_p50", BAD_S)]
    builds = rows_of(person.get(reverse("builds", args=["zoo"]), {"format": "csv"}))
    assert {row["sha"] for row in builds} == {world.skipped.sha, *(row.sha for row in world.builds)}
    run = world.jobs[5].run
    points = person.get(reverse("run", args=[run.pk]), {"format": "json"}).json()["points"]
    assert {row["metric"]: row["verdict"] for row in points}["latency_p50"] == "regressed"


def test_a_page_links_to_twins_that_keep_its_own_parameters(world, person):
    html = person.get(reverse("series", args=[world.series.pk]), {"first": "2"}).content.decode()
    assert "?first=2&amp;format=csv" in html


def test_a_subject_is_no_formula_to_a_spreadsheet(world, person):
    Build.objects.filter(pk=world.builds[0].pk).update(subject='=HYPERLINK("http://evil")')
    rows = rows_of(person.get(reverse("series", args=[world.series.pk]), {"format": "csv"}))
    assert rows[0]["subject"].startswith("'=")


@pytest.mark.parametrize("query", [{"format": "xml"}, {"format": "csv", "table": "none"}])
def test_an_unknown_twin_is_refused_in_a_sentence(world, person, query):
    answer = person.get(reverse("series", args=[world.series.pk]), query)
    assert answer.status_code == 404
    assert "There is no format" in answer.content.decode() or "has no table" in answer.content.decode()


def act(client, world, place: int, action: str, **data):
    build = world.builds[place]
    name = "series-order" if action in ("confirm", "search") else "series-act"
    return client.post(reverse(name, args=[world.series.pk, build.pk, action]), data, follow=True)


def test_a_person_asks_for_a_comparison_and_the_service_orders_it(world, person):
    said = act(person, world, 3, "confirm").content.decode()
    assert "Ordered" in said
    doubt = Suspicion.objects.get(series=world.series, build=world.builds[3])
    assert (doubt.state, doubt.base, doubt.evidence["asked_by"]) == ("open", world.builds[2], "ada")
    assert "waits for its comparison" in act(person, world, 3, "confirm").content.decode()
    assert "another point" in act(person, world, 4, "confirm").content.decode()


def test_a_person_marks_a_change_by_hand(world, person):
    act(person, world, 5, "mark")
    verdict = Verdict.objects.filter(series=world.series).latest("id")
    assert (verdict.kind, verdict.stage, verdict.base) == ("regressed", "person", world.builds[4])
    assert "Marked by ada" in verdict.sentence
    assert "nothing to mark" in act(person, world, 7, "mark").content.decode()


def test_a_note_is_a_row_and_a_flag_on_the_chart(world, person):
    act(person, world, 5, "note", text="The new kernel <b>landed</b>")
    note = Note.objects.get()
    assert (note.author, note.build) == ("ada", world.builds[5])
    data = json.loads(person.get(reverse("series-data", args=[world.series.pk])).content)
    assert data["notes"] == [{"x": 6, "text": note.text, "author": "ada"}]
    html = person.get(reverse("series", args=[world.series.pk])).content.decode()
    assert "&lt;b&gt;landed" in html
    act(person, world, 5, "note", text="  ")
    assert Note.objects.count() == 1


def test_a_stranger_writes_nothing(world, client):
    world.project.is_public = True
    world.project.save()
    for action in ("confirm", "mark", "note", "search"):
        assert "/login/" in act(client, world, 5, action, text="hello").redirect_chain[0][0]
    assert not Note.objects.exists()


def test_the_chart_by_time_gets_the_moments_of_its_buckets(world, person, points):
    points(world.series, world.jobs[0], [1.0 + n % 7 for n in range(2100)], 20)
    Build.objects.filter(branch="long").update(branch="main2")
    start = timezone.now() - timedelta(days=9)
    Build.objects.filter(ordinal=1, branch="main").update(committed_at=start)
    data = person.get(reverse("series-data", args=[world.series.pk]), {"times": "1"}).json()
    assert data["mode"] == "buckets"
    assert data["time"][0] == start.isoformat()


def test_where_a_forge_shows_things():
    assert commit_url("https://me:secret@github.com/a/b.git", "3fa") == "https://github.com/a/b/commit/3fa"
    assert diff_url("https://gitlab.example/a/b", "1", "2") == "https://gitlab.example/a/b/-/compare/1...2"
    assert diff_url("/srv/git/a.git", "1", "2") == ""


def test_two_histograms_share_their_bins_and_cut_the_tail():
    old = [1.0 + 0.01 * (n % 10) for n in range(400)]
    found = histogram_pair(old, [value * 1.05 for value in old] + [50.0], scale=Scale(1.0, "s"))
    assert found.counts == (400, 401)
    assert found.cut >= 1
    assert max(bar.x + bar.width for bar in found.old + found.new) <= found.width
    assert histogram_pair([1.0], old, scale=Scale(1.0, "s")) is None
    assert histogram_pair([1.0, 1.0], [1.0, 1.0], scale=Scale(1.0, "s")) is not None
