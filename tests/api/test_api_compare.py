"""Any two sides by the API, as the page compares them."""

import pytest

from perfsite.results.models import Environment, Report
from tests.api.calling import Caller
from tests.dashboards.conftest import BAD_S, GOOD_S, measured, world  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db
ADDRESS = "/projects/zoo/compare/sides"


@pytest.fixture
def reader(world):  # noqa: F811
    return Caller("read", project_id=world.project.pk)


def test_two_builds_with_the_services_word_and_what_differs_around_them(world, reader):  # noqa: F811
    old, new = world.builds[4], world.builds[5]
    environment = Environment.objects.create(sha256="e", facts={"driver": "580.1"}, split="")
    Report.objects.filter(job=world.jobs[5]).update(environment=environment)
    status, told = reader.get(ADDRESS, base=old.short, new=new.short)
    assert status == 200
    row = next(row for row in told["rows"] if row["case"]["metric"] == "latency_p50")
    assert row["relative"] == pytest.approx(BAD_S / GOOD_S - 1)
    assert (row["told"], row["new"]["environment_id"]) == ("regressed", environment.pk)
    assert "has no interval" in row["doubts"][0]
    assert told["environments"][0]["changed"]["driver"] == [None, "580.1"]
    assert sum(told["counts"].values()) == len(told["rows"]) == 2
    status, short = reader.get(ADDRESS, base=old.short, new=new.short, limit=1)
    assert (len(short["rows"]), short["left"]) == (1, 1)


@pytest.mark.parametrize(
    ("way", "field"), [("runner", "runner"), ("precision", "precision"), ("device", "device_class")]
)
def test_two_values_of_a_field_are_held_against_each_other(world, reader, way, field):  # noqa: F811
    series = world.series
    values = {name: getattr(series, name) for name in ("model", "runner", "precision", "shape", "suite")}
    points = list(series.points.order_by("ordinal"))
    other = type(series).objects.create(
        **{**values, "device_class": series.device_class, field: "other"},
        key="o" * 64, project=series.project, branch=series.branch, metric=series.metric,
    )  # fmt: skip
    type(points[-1]).objects.create(
        series=other, build=points[-1].build, job=points[-1].job, ordinal=points[-1].ordinal, value=BAD_S * 2
    )
    status, told = reader.get(ADDRESS, by=way, base=getattr(series, field), new="other")
    (row,) = told["rows"]
    assert (status, field in row["case"]) == (200, False)
    assert row["relative"] == pytest.approx(1.0)
    assert row["new"]["series_id"] == other.pk


def test_what_cannot_be_compared_is_said(world, reader):  # noqa: F811
    assert reader.get(ADDRESS, by="moon", base="a", new="b")[0] == 404
    status, told = reader.get(ADDRESS, base="fffffff", new=world.builds[0].short)
    assert (status, "no build begins with" in told["error"]["message"]) == (404, True)
