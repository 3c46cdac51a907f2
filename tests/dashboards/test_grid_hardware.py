"""The grid of changes and the hardware page, on a generated history of several GPUs."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from perfsite.dashboards.charts.capacity import Load, capacity_answers
from perfsite.dashboards.charts.heat import cell_make
from perfsite.dashboards.selectors.hardware import fitness_rows, hardware_choices, loads_read, shape_split
from perfsite.results.models import Measurement, Series
from tests.factories import build_make, job_make, project_make


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
    case = {"model": "resnet50", "runner": "tensorrt", "precision": "fp16", "shape": "b1"}
    query = {**case, "p99": "50", "qps": "3000"}
    html = history.get(address, query).content.decode()
    assert "nvidia-l4" in html
    assert "as measured" in html
    needed = history.get(address, {**query, "format": "json"}).json()["needed"]
    assert needed
    assert all(row["received_at"] for row in needed)
    assert all(row["gpus"] * row["qps_per_gpu"] >= 3000 for row in needed if row["gpus"])
    assert "must be numbers" in history.get(address, {**query, "qps": "many"}).content.decode()
    assert "above zero" in history.get(address, {**query, "qps": "-1"}).content.decode()


def test_tokens_and_their_cost_stand_side_by_side(db, person):
    """The suite reports how it generated, so its shapes have a comma."""
    call_command("generate_history", series=760, builds=60, seed=2, project="zoo")
    case = {"model": "qwen2.5-0.5b", "runner": "tensorrt", "precision": "fp16", "shape": "b1,cache=true"}
    address = reverse("hardware", args=["zoo"])
    rows = person.get(address, {**case, "format": "json"}).json()["hardware"]
    assert len(rows) > 1
    assert all(row["tokens_per_second"] > 0 and row["cost_per_thousand_tokens"] > 0 for row in rows)
    html = person.get(address, case).content.decode()
    assert '<option value="b1,cache=true" selected>' in html
    assert "qps=" not in html.split("</form>")[0]


def test_a_shape_without_its_load():
    assert shape_split("b8") == ("b8", {})
    assert shape_split("b1,p99_bound_ms=80,qps=2.5,size=224") == (
        "b1,size=224",
        {"p99_bound_ms": 80.0, "qps": 2.5},
    )
    assert shape_split("b1,qps=1e+06") == ("b1", {"qps": 1e6})
    assert shape_split("b1,qps=many,my_qps=3") == ("b1,qps=many,my_qps=3", {})


def test_loads_are_of_one_case_stable_and_of_the_newest_build(db):
    project = project_make()
    builds = [build_make(project, ordinal) for ordinal in (1, 2, 3)]
    jobs = [job_make(build) for build in builds]

    def point(ordinal, shape, value, *, device="h100", metric="server_latency_p99", unstable=False):
        names = {"model": "cnn", "runner": "torch", "precision": "fp32", "suite": "server", "split": ""}
        names |= {"project": project, "branch": project.branch, "device_class": device, "shape": shape}
        series, _ = Series.objects.get_or_create(
            **names, metric=metric, defaults={"key": f"{device}{shape}{metric}"}
        )
        Measurement.objects.create(
            series=series,
            ordinal=ordinal,
            value=value,
            unstable=unstable,
            build=builds[ordinal - 1],
            job=jobs[ordinal - 1],
        )

    point(1, "b1,qps=900", 0.001)  # an older build's
    point(2, "b1,qps=100", 0.02)
    point(2, "b1,p99_bound_ms=80", 150.0, metric="server_qps_highest")
    point(2, "b1,max_batch=8,qps=500", 0.01)  # another batching
    point(2, "b1,qps=50,size=64", 0.01)  # another size
    point(2, "b8,qps=800", 0.01)  # another batch
    point(3, "b1,qps=100", 0.9, unstable=True)  # says nothing
    point(1, "b1,qps=20", 0.05, device="l4")  # its own newest
    chosen = {"model": "cnn", "runner": "torch", "precision": "fp32"}

    def read(shape):
        loads = loads_read(project=project, chosen=chosen, shape=shape)
        return sorted((load.device_class, load.qps, load.p99_s, load.received_at) for load in loads)

    assert read("b1") == [
        ("h100", 100.0, 0.02, builds[1].received_at),
        ("h100", 150.0, 0.08, builds[1].received_at),
        ("l4", 20.0, 0.05, builds[0].received_at),
    ]
    assert [load[:2] for load in read("b1,max_batch=8")] == [("h100", 500.0)]
    assert [load[:2] for load in read("b8")] == [("h100", 800.0)]
    assert hardware_choices(project=project)["shape"] == ["b1", "b1,max_batch=8", "b1,size=64", "b8"]


def test_a_gpu_that_became_slower_than_its_like_is_named(history):
    ill = {row.worker.name for row in fitness_rows() if row.is_ill}
    assert ill == {"nvidia-h100-80gb-hbm3-2", "nvidia-l4-2", "nvidia-a100-sxm4-80gb-2"}
    assert "slower than it should be" in history.get(reverse("hardware", args=["zoo"])).content.decode()
