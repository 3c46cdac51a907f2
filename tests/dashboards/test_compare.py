"""Two sides against each other: the mathematics, and the page with what it says about comparability."""

import csv
import io
import math

import pytest
from django.urls import reverse

from perfsite.dashboards.charts.comparing import Pair, Side, mean_of, sides_compare
from perfsite.dashboards.selectors.compare import build_find
from perfsite.results.models import Environment, Report
from perfsite.runs.models import Build
from tests.dashboards.conftest import BAD_S, GOOD_S, measured


def side(value: float, half: float | None = 0.001, **more) -> Side:
    facts = {"series_id": 1, "build_id": 1, "n": 100, "unstable": False, "environment_id": None} | more
    low, high = (None, None) if half is None else (value * (1 - half), value * (1 + half))
    return Side(value=value, low=low, high=high, **facts)


def pair(base: float, new: float, metric: str = "latency_p50", **more) -> Pair:
    return Pair({"model": "cnn"}, metric, side(base, **more), side(new, **more))


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (pair(1.0, 1.1), "regressed"),
        (pair(1.1, 1.0), "improved"),
        (pair(100.0, 110.0, "throughput"), "improved"),
        (pair(1.0, 1.01), "same"),  # beyond the noise, but nobody would notice
        (pair(1.0, 1.1, half=0.2), "same"),  # big, but within its interval
        (pair(1.0, 1.1, half=None), "unknown"),
        (pair(1.0, 1.1, unstable=True), "unknown"),
        (pair(1.0, 1.1, "latency_cv"), "unknown"),
        (pair(0.0, 1.1), "unknown"),
    ],
)
def test_a_pair_is_judged_by_size_noise_and_direction(made, kind):
    assert made.kind == kind


def test_the_mean_is_geometric_and_its_direction_that_of_cost():
    mean = mean_of([pair(1.0, 2.0), pair(2.0, 1.0)])
    assert mean.relative == pytest.approx(0.0)
    assert mean_of([pair(100.0, 50.0, "throughput")]).relative == pytest.approx(1.0)
    halves = [p.half for p in (pair(1.0, 2.0), pair(2.0, 1.0))]
    assert mean.high == pytest.approx(math.expm1(math.hypot(*halves) / 2))
    assert mean_of([pair(1.0, 2.0, half=None)]).low is None
    assert mean_of([]) is None


def test_what_only_one_side_has_is_counted_and_the_surest_change_comes_first():
    names = ("model", "metric")
    base = {("a", "latency_p50"): side(1.0), ("a", "latency_p99"): side(1.0), ("b", "latency_p50"): side(1.0)}
    new = {("a", "latency_p50"): side(1.01), ("a", "latency_p99"): side(1.5), ("c", "latency_p50"): side(1.0)}
    found = sides_compare(base, new, names=names)
    assert (found.only_base, found.only_new) == (1, 1)
    assert [row.metric for row in found.pairs] == ["latency_p99", "latency_p50"]
    assert found.counts == {"regressed": 1, "improved": 0, "same": 1, "unknown": 0}


def compare(client, **query) -> str:
    answer = client.get(reverse("compare", args=["zoo"]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_two_builds_show_values_and_why_they_are_not_comparable(world, person):
    old, new = world.builds[4], world.builds[5]
    environment = Environment.objects.create(sha256="e", facts={"driver": "580.1"}, split="")
    Report.objects.filter(job=world.jobs[5]).update(environment=environment)
    html = compare(person, base=old.short, new=new.short)
    assert "4.10 ms" in html
    assert "4.90 ms" in html
    assert "the service says regressed" in html  # the points have no interval, its comparison had
    assert "580.1" in html
    row = html.partition('data-label="Case">')[2].partition("</td>")[0]
    assert "environment: " in row  # beside each row that it concerns, and whole above
    assert "more" in row
    same = compare(person, base=old.short, new=world.builds[3].short)
    assert "environment: " not in same
    assert "has no interval" in html
    rows = list(csv.DictReader(io.StringIO(compare(person, base=old.short, new=new.short, format="csv"))))
    row = next(row for row in rows if row["metric"] == "latency_p50")
    assert float(row["relative"]) == pytest.approx(BAD_S / GOOD_S - 1)


def test_without_an_address_the_two_newest_builds_are_compared(world, person):
    measured(world.project, 30, GOOD_S, world.worker)
    assert "Series <span" in compare(person)


@pytest.mark.parametrize("way", ["branch", "device", "precision", "runner"])
def test_a_project_with_one_value_says_that_there_is_nothing_to_compare(world, person, way):
    assert "fewer than two" in compare(person, by=way)


def test_an_unknown_build_or_way_is_told(world, person):
    assert "no build begins with" in compare(person, base="fffffff", new=world.builds[0].short)
    assert person.get(reverse("compare", args=["zoo"]), {"by": "moon"}).status_code == 404


def test_a_commit_of_a_pull_request_that_was_taken_over_is_the_branchs(world):
    build = world.jobs[0].run.build
    Build.objects.create(project=world.project, branch="pull/7", sha=build.sha, ordinal=None, state="planned")
    Build.objects.create(project=world.project, branch="topic", sha=build.sha, ordinal=99, state="planned")
    assert build_find(project=world.project, sha=build.sha[:10]) == build
