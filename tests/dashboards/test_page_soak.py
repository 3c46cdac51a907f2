"""A soak's page: from real soaks of seconds on this machine's processor, to what a person reads."""

import json
import os
import re

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse

from benchmarks.cases import Case, ModelSource
from benchmarks.report import Report
from benchmarks.session import measure
from benchmarks.soak_readings import SoakGauge, SoakReadings, SoakSegment, readings_name
from perfsite.dashboards.charts.soak import HEIGHT, soak_strips
from perfsite.results.artifacts import artifact_store
from perfsite.results.models import Artifact
from perfsite.results.services import report_store
from tests.dashboards.markup import Page
from tests.factories import build_make, case_make, claim, job_make
from tests.soaked import MODELS

CASE = case_make(model="cnn", runner="torch", suite="soak", duration_s=3, options={"segment_s": 1.5})


def soaked(folder, case: Case, function: str) -> tuple[Report, dict[str, bytes]]:
    """A real soak of a small model; what it reported and its files."""
    (folder / "models.py").write_text(MODELS)
    report = measure(
        ModelSource(kind="entry", ref=f"models.py:{function}"),
        model=case.model, precision=case.precision, cases=[case], checkout=folder,
        workdir=folder / "out", on_progress=lambda *_: None, device="cpu", canary=False,
    )  # fmt: skip
    return report, {ref.name: (folder / "out" / ref.name).read_bytes() for ref in report.artifacts}


def sent(world, report: Report, files: dict[str, bytes], ordinal: int):
    """The job that a worker would have sent it for, through the site's own services."""
    job = job_make(build_make(world.project, ordinal, subject=f"soaked {ordinal}"), CASE)
    token = claim(world.worker).token
    attempt = job.attempts.get()
    for name, content in files.items():
        artifact_store(attempt=attempt, name=name, kind="other", content=ContentFile(content))
    assert report_store(token=token, body=report, raw=report.model_dump_json().encode())
    job.refresh_from_db()
    return job


@pytest.fixture
def one_core():
    """Threads of one process that wait for each other make a busy machine ten times slower."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.slow
def test_a_leak_is_drawn_with_its_slope_and_how_long_memory_lasts(world, person, tmp_path, one_core):
    pytest.importorskip("torch")
    report, files = soaked(tmp_path, CASE, "leaky")
    job = sent(world, report, files, 20)
    html = person.get(reverse("soak", args=[job.pk])).content.decode()
    assert "memory lasts for" in html
    assert "per iteration" in html
    page = Page(html)
    assert page.problems == []
    assert page.unnamed == []
    heap = html[html.index("Memory that C&#x27;s allocator gave out") :]
    strip = heap[: heap.index("</figure>")]
    assert "leaks" in strip
    assert strip.count("soak-fit") == strip.count("soak-wedge") == 2  # a slope with bounds per process
    assert "soak-mark" in strip
    assert "No GPU was read" in html
    body = person.get(reverse("soak", args=[job.pk]), {"format": "json"}).json()
    (slope,) = [row for row in body["slopes"] if row["counter"] == "host_heap"]
    assert slope["verdict"] == "leak"
    assert slope["slope"] == pytest.approx(1040, rel=0.1)
    told = {row["name"]: row["value"] for row in body["told"]}
    reported = {row.metric: row.value for row in report.measurements}
    assert told["out_of_memory_s"] == reported["time_to_out_of_memory"]
    assert len(body["segments"]) == 2
    grown = [row["host_heap"] for row in body["readings"]]
    assert grown[-1] > grown[0] + 2**20 / 8
    run = person.get(reverse("run", args=[job.run_id])).content.decode()
    assert f'href="{reverse("soak", args=[job.pk])}"' in run


@pytest.mark.slow
def test_a_model_that_keeps_nothing_has_no_leak_on_its_page(world, person, tmp_path, one_core):
    pytest.importorskip("torch")
    report, files = soaked(tmp_path, CASE, "sound")
    job = sent(world, report, files, 20)
    html = person.get(reverse("soak", args=[job.pk])).content.decode()
    assert "memory lasts for" not in html
    assert "soak-fit" not in html
    assert "Iterations per second" in html
    body = person.get(reverse("soak", args=[job.pk]), {"format": "json"}).json()
    assert "leak" not in {row["verdict"] for row in body["slopes"]}


def readings_make(**changes) -> SoakReadings:
    values = {
        "case": CASE,
        "at_s": (1.0, 2.0, 3.0, 4.0),
        "iterations": (10, 20, 30, 40),
        "rates": (10.0, 10.0, None, 10.0),
        "segments": (SoakSegment(first=0, start_s=0, ended="done"),),
        "counters": (),
    }
    return SoakReadings(**(values | changes))


def test_what_a_gpu_told_is_drawn_and_a_gap_stays_one():
    gauge = SoakGauge(
        at_s=(0, 1, 2, 3, 4),
        temperature=(60, 61, None, 62, 63),
        power=(None,) * 5,
        sm_clock=(1.98e9, 1.98e9, 1.7e9, 1.98e9, 1.98e9),
    )
    strips = {strip.name: strip for strip in soak_strips(readings_make(gauge=gauge))}
    assert set(strips) == {"rate", "temperature", "clock"}
    assert len(strips["temperature"].lines) == 2
    assert strips["temperature"].newest == "63\N{NO-BREAK SPACE}°C"
    assert strips["clock"].newest == "1,980\N{NO-BREAK SPACE}MHz"
    heights = [float(pair.split(",")[1]) for line in strips["rate"].lines for pair in line.split()]
    assert all(0.4 * HEIGHT < height < 0.6 * HEIGHT for height in heights), "a level rate lies in the middle"


def kept(world, content: bytes) -> str:
    job = job_make(build_make(world.project, 30), CASE)
    claim(world.worker)
    name = readings_name(CASE)
    artifact_store(attempt=job.attempts.get(), name=name, kind="other", content=ContentFile(content))
    return reverse("soak", args=[job.pk])


def test_a_gpus_soak_has_its_strips_on_the_page(world, person):
    gauge = SoakGauge(at_s=(1.0,), temperature=(61.0,), power=(301.0,), sm_clock=(None,))
    html = person.get(kept(world, readings_make(gauge=gauge).model_dump_json().encode())).content.decode()
    assert re.search(r"Temperature of the GPU.*61\xa0°C", html)
    assert "301\xa0W" in html
    assert "Clock of the GPU" not in html


@pytest.mark.parametrize("content", [b"{", b'{"format": 1}', json.dumps({"format": 9}).encode()])
def test_a_damaged_file_is_said_in_a_sentence(world, person, content):
    answer = person.get(kept(world, content))
    assert answer.status_code == 404
    assert "is damaged" in answer.content.decode()


def test_a_file_that_is_gone_is_said_in_a_sentence(world, person):
    address = kept(world, readings_make().model_dump_json().encode())
    file = Artifact.objects.latest("id").file
    file.storage.delete(file.name)
    assert "no longer stored" in person.get(address).content.decode()


def test_a_running_soak_tells_how_far_it_is_and_another_job_is_none(world, person):
    job = job_make(build_make(world.project, 30), CASE)
    html = person.get(reverse("soak", args=[job.pk])).content.decode()
    assert "under way" in html
    assert "is no soak" in person.get(reverse("soak", args=[world.jobs[0].pk])).content.decode()
    type(job).objects.filter(pk=job.pk).update(state="failed")
    assert "left no readings" in person.get(reverse("soak", args=[job.pk])).content.decode()


def test_strangers_do_not_see_a_private_soak(world, client):
    address = kept(world, readings_make().model_dump_json().encode())
    assert client.get(address).headers["Location"].startswith("/login/")
