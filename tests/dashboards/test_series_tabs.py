"""Stepping sideways between the metrics of one case."""

import pytest
from django.urls import reverse

from perfsite.results.models import Series
from tests.factories import project_make

pytestmark = pytest.mark.django_db


def series_make(project, suite: str, metric: str, shape: str = "b1") -> Series:
    facts = {"branch": "main", "device_class": "cpu", "split": "", "model": "cnn", "runner": "torch"}
    facts |= {"precision": "fp32", "shape": shape, "suite": suite, "metric": metric}
    return Series.objects.create(project=project, key="/".join(facts.values()), **facts)


@pytest.fixture
def world(client):
    project = project_make(is_public=True)
    rows = [
        series_make(project, suite, metric)
        for suite, metric in (
            ("latency", "cpu_utilisation"),
            ("latency", "latency_p50"),
            ("throughput", "cpu_utilisation"),
            ("throughput", "throughput"),
        )
    ]
    series_make(project, "server", "server_qps", "b1,qps=50")
    return rows


def tabs(client, series) -> list[str]:
    response = client.get(reverse("series", args=[series.pk]))
    assert response.status_code == 200
    return [(row.metric, suite) for row, suite in response.context["siblings"]]


def test_a_metric_of_several_suites_is_told_apart_by_its_suite(client, world):
    assert tabs(client, world[0]) == [
        ("latency_p50", ""),
        ("throughput", ""),
        ("cpu_utilisation", "latency"),
        ("cpu_utilisation", "throughput"),
    ]


def test_shapes_are_shown_as_words(client, world):
    page = client.get(reverse("trends", args=[world[0].project.slug])).content.decode()
    assert "batch 1, qps 50" in page
    assert "batch and options" in page.lower()


def test_what_only_describes_is_folded_away_unless_it_is_asked_for(client, world):
    url = reverse("trends", args=[world[0].project.slug])
    judged, described = client.get(url).content.decode().split("<details", 1)
    assert "Latency p50" in judged
    assert "CPU utilisation" not in judged.partition('id="trend-list"')[2]
    assert "CPU utilisation" in described
    assert not described.startswith(" open")
    asked = client.get(url, {"metric": "cpu_utilisation"}).content.decode()
    assert asked.partition("<details")[2].startswith(" open")
