"""The grid of changes and the hardware page, on a generated history of several GPUs."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from perfsite.dashboards.charts.capacity import Load, capacity_answers
from perfsite.dashboards.charts.heat import cell_make
from perfsite.dashboards.selectors.hardware import fitness_rows
from perfsite.results.models import Series


def test_a_cell_is_shaded_by_direction_and_size():
    tones = [
        cell_make(series_id=1, metric="latency_p50", value=value, base=1.0).tone
        for value in (1.0, 1.02, 1.05, 1.5, 0.95, 0.5)
    ]
    assert tones == ["same", "same", "worse1", "worse2", "better1", "better2"]
    assert cell_make(series_id=1, metric="throughput", value=1.5, base=1.0).tone == "better2"
    assert cell_make(series_id=1, metric="throughput", value=1.5, base=None).tone == "none"


def test_gpus_needed_come_from_measured_loads_only():
    loads = [
        Load("h100", 100.0, 0.02, 1),
        Load("h100", 500.0, 0.07, 2),
        Load("h100", 900.0, 0.30, 3),
        Load("l4", 50.0, 0.075, 4),
        Load("t4", 10.0, 0.2, 5),
    ]
    answers = capacity_answers(loads, bound_s=0.08, qps=180)
    assert [(row.device_class, row.count, row.qps) for row in answers] == [
        ("h100", 1, 500.0),
        ("l4", 4, 50.0),
        ("t4", None, 10.0),
    ]
    assert capacity_answers(loads, bound_s=0.08, qps=500.1)[0].count == 2


@pytest.fixture
def history(db, person):
    call_command("generate_history", series=200, builds=130, seed=2, project="zoo")
    return person


def test_the_grid_holds_every_case_and_narrows(history):
    address = reverse("grid", args=["zoo"])
    html = history.get(address, {"metric": "latency_p50"}).content.decode()
    assert html.count('<td class="num heat-') == Series.objects.filter(metric="latency_p50").count()
    part = history.get(address, {"metric": "latency_p50", "q": "l4 tensorrt"}, headers={"HX-Request": "true"})
    assert "q=l4" in part.headers["HX-Replace-Url"]
    assert "nvidia-h200" not in part.content.decode()
    assert "no such commit" in history.get(address, {"base": "ffffffffff"}).content.decode()
    rows = history.get(address, {"format": "json"}).json()["grid"]
    assert {row["metric"] for row in rows} == {"gpu_compute_time_p50"}


def test_the_hardware_page_answers_how_many_gpus(history):
    address = reverse("hardware", args=["zoo"])
    query = {"model": "resnet50", "runner": "tensorrt", "precision": "fp16", "p99": "50", "qps": "3000"}
    html = history.get(address, query).content.decode()
    assert "nvidia-l4" in html
    assert "as measured" in html
    needed = history.get(address, {**query, "format": "json"}).json()["needed"]
    assert all(row["gpus"] * row["qps_per_gpu"] >= 3000 for row in needed if row["gpus"])
    assert "must be numbers" in history.get(address, {**query, "qps": "many"}).content.decode()
    assert "above zero" in history.get(address, {**query, "qps": "-1"}).content.decode()


def test_a_gpu_that_became_slower_than_its_like_is_named(history):
    ill = {row.worker.name for row in fitness_rows() if row.is_ill}
    assert ill == {"nvidia-h100-80gb-hbm3-2", "nvidia-l4-2", "nvidia-a100-sxm4-80gb-2"}
    assert "slower than it should be" in history.get(reverse("hardware", args=["zoo"])).content.decode()
