"""Service levels on the pages: the chart's line, the project's list, the breach's page."""

import pytest
from django.urls import reverse

from perfsite.regressions.models import Incident
from perfsite.regressions.service_levels import levels_judge
from tests.dashboards.conftest import BAD_S
from tests.dashboards.markup import Page

LEVEL = {
    "key": "latency_p50 at_most model=cnn",
    "metric": "latency_p50",
    "direction": "at_most",
    "model": "cnn",
}


@pytest.fixture
def breach(world) -> Incident:
    for job in world.jobs:
        job.spec["levels"] = [LEVEL | {"bound": 0.0045}]
        job.save()
        levels_judge(job=job)
    return Incident.objects.get(kind="service")


def test_chart_gets_the_bound_in_its_own_unit(world, breach, person):
    data = person.get(reverse("series-data", args=[world.series.pk])).json()
    assert data["unit"] == "ms"
    assert data["levels"] == [{"y": pytest.approx(4.5), "label": "at most 4.50 ms", "met": False}]
    assert max(data["value"]) == pytest.approx(BAD_S * 1000)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("project", ["Service levels", "1 series", "model cnn", "at most 4.50 ms"]),
        ("project-incidents", ["service level", "over its service level of at most 4.50 ms"]),
    ],
)
def test_project_tells_of_its_levels(world, breach, person, name, words):
    html = person.get(reverse(name, args=["zoo"])).content.decode()
    assert Page(html).problems == []
    for word in words:
        assert word in html


def test_breach_has_a_page_and_the_series_links_to_it(world, breach, person):
    url = reverse("incident", args=["zoo", breach.pk])
    html = person.get(url).content.decode()
    assert Page(html).problems == []
    assert "Latency p50 of cnn/torch/fp32/b1 on cpu is 4.90 ms" in html
    assert "Who breaches it" in html
    assert "Introduced by" not in html
    assert url in person.get(reverse("series", args=[world.series.pk])).content.decode()
