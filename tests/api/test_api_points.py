"""What people say about points, what is behind an incident, and the tables of series, by the API."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from perfsite.regressions.causes.closing import incidents_close
from perfsite.regressions.models import Incident, LevelStanding, Suspicion, Verdict
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build, Job
from tests.api.calling import Caller
from tests.dashboards.conftest import judged, world  # noqa: F401 - the fixture
from tests.dashboards.test_page_soak import kept, readings_make
from tests.factories import project_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def triager(world):  # noqa: F811
    return Caller("triage", project_id=world.project.pk)


def test_a_note_is_added_listed_and_removed(world, triager):  # noqa: F811
    address = f"/series/{world.series.pk}/notes"
    build = world.builds[2]
    status, note = triager.post(address, {"build_id": build.pk, "text": "The bench was moved."})
    assert (status, note["author"], note["ordinal"]) == (201, "token caller triage", 3)
    assert triager.get(address)[1]["items"] == [note]
    assert triager.post(address, {"build_id": world.skipped.pk, "text": "x"})[0] == 404
    other = Series.objects.exclude(pk=world.series.pk).first()
    assert triager.delete(f"/series/{other.pk}/notes/{note['id']}")[0] == 404
    assert triager.delete(f"{address}/{note['id']}") == (204, None)
    assert triager.get(address)[1]["items"] == []


def test_a_mark_is_made_and_taken_back_and_its_incident_withdrawn(world, triager):  # noqa: F811
    build = world.builds[6]
    Measurement.objects.filter(series=world.series, build=build).update(value=0.02)
    address = f"/series/{world.series.pk}/builds/{build.pk}/mark"
    assert triager.delete(address)[0] == 409
    status, mark = triager.post(address)
    assert (status, mark["kind"], mark["stage"]) == (201, "regressed", "person")
    opened = Incident.objects.get(build=build)
    status, undone = triager.delete(address)
    assert (status, undone["kind"], "took the mark" in undone["sentence"]) == (200, "same", True)
    incidents_close()
    opened.refresh_from_db()
    assert opened.state == "withdrawn"
    marks = triager.get(f"/series/{world.series.pk}/verdicts", stage="person")[1]["items"]
    assert [row["kind"] for row in marks] == ["same", "regressed"]
    assert triager.delete(address)[0] == 409


def test_the_services_own_change_is_not_taken_back_as_a_mark(world, triager):  # noqa: F811
    accused = world.incident.build
    address = f"/series/{world.series.pk}/builds/{accused.pk}/mark"
    triager.post(address)
    status, told = triager.delete(address)
    assert (status, "itself; triage its incident" in told["error"]["message"]) == (409, True)


def test_a_comparison_and_a_search_are_ordered(world):  # noqa: F811
    deliverer = Caller("deliver", project_id=world.project.pk)
    address = f"/series/{world.series.pk}/builds/{world.builds[3].pk}"
    status, made = deliverer.post(f"{address}/compare")
    assert (status, made["base_id"], made["state"]) == (201, world.builds[2].pk, "open")
    assert Suspicion.objects.get(pk=made["id"]).evidence["asked_by"] == "token caller deliver"
    assert deliverer.post(f"{address}/compare")[0] == 422
    assert deliverer.post(f"{address}/bisect")[0] == 404  # no regression stands there
    accused = f"/series/{world.series.pk}/builds/{world.incident.build_id}"
    status, told = deliverer.post(f"{accused}/bisect")
    assert (status, "no commit lies between" in told["error"]["message"]) == (422, True)
    Build.objects.filter(ordinal__gt=5).update(ordinal=None)
    Build.objects.filter(pk=world.incident.build_id).update(ordinal=7)
    Build.objects.filter(pk=world.builds[6].pk).update(ordinal=6)
    status, made = deliverer.post(f"{accused}/bisect")
    assert (status, made["state"], len(made["steps"])) == (201, "running", 1)
    assert deliverer.post(f"{accused}/bisect")[0] == 409
    status, told = deliverer.post(f"{address}/search")
    assert (status, "no commit lies between" in told["error"]["message"]) == (422, True)


def test_an_incident_tells_its_evidence_and_is_measured_again(world, triager):  # noqa: F811
    incident = world.incident
    status, told = triager.get(f"/incidents/{incident.pk}")
    verdict = Verdict.objects.get(regression__incident=incident)
    status, told = triager.get(f"/verdicts/{verdict.pk}")
    assert (status, told["kind"], told["attribution"]) == (200, "regressed", None)
    assert triager.get(f"/incidents/{incident.pk}/bisections") == (200, [])
    assert triager.get(f"/incidents/{incident.pk}/layers")[1]["rows"] == []
    status, again = triager.post(f"/incidents/{incident.pk}/recheck")
    assert (status, Job.objects.get(pk=again["job_id"]).kind) == (200, "compare")
    status, refused = triager.post(f"/incidents/{incident.pk}/recheck")
    assert (status, "already" in refused["error"]["message"]) == (409, True)


def test_incidents_are_narrowed_as_on_the_page(world, triager):  # noqa: F811
    Incident.objects.update(tags=["gpu"])

    def count(**query) -> int:
        return len(triager.get("/projects/zoo/incidents", **query)[1]["items"])

    assert [count(state="open"), count(state="fixed"), count(tag="GPU"), count(tag="cpu")] == [1, 0, 1, 0]
    assert [count(q="cnn"), count(q="nothing"), count(assignee="ada@example.org")] == [1, 0, 1]


def test_service_levels_jobs_and_how_to_reproduce(world, triager):  # noqa: F811
    job = world.jobs[-1]
    LevelStanding.objects.create(
        series=world.series, level="latency_p50 at_most", direction="at_most", bound=0.005, value=0.01,
        is_met=False, ordinal=8, build=job.run.build, job=job,
    )  # fmt: skip
    level = triager.get("/projects/zoo/levels")[1]["items"][0]
    assert (level["bound"], level["is_met"], level["series_id"]) == (0.005, False, world.series.pk)
    assert triager.get(f"/series/{world.series.pk}/levels")[1] == [level]
    jobs = triager.get("/jobs", project="zoo", state="done")[1]["items"]
    assert {row["project"] for row in jobs} == {"zoo"}
    assert triager.get("/jobs", state="running")[1]["items"] == []
    lines = triager.get(f"/jobs/{job.pk}/reproduce")[1]["lines"]
    assert any(job.run.build.sha in line for line in lines)


def test_the_first_page_what_moved_and_the_search(world, triager):  # noqa: F811
    project_make(slug="hidden")
    told = triager.get("/overview")[1]
    assert [row["slug"] for row in told["projects"]] == ["zoo"]
    assert [row["id"] for row in told["incidents"]] == [world.incident.pk]
    for rank in ("time", "noise", "size"):
        moved = triager.get("/moved", rank=rank)[1]
        assert [row["incident_id"] for row in moved["items"]] == [world.incident.pk]
        assert moved["counts"] == {"regressed": 1}
    assert triager.get("/moved", project="hidden")[1]["items"] == []
    status, wrong = triager.get("/moved", since="decade")
    assert (status, "it can be day, week" in wrong["error"]["message"]) == (422, True)
    found = triager.get("/search", q="cnn")[1]
    assert {row["model"] for row in found["series"]} == {"cnn"}
    assert (
        triager.get("/search", q=world.incident.build.sha[:10])[1]["incidents"][0]["id"] == world.incident.pk
    )


def test_grid_hardware_and_how_many_gpus(db):
    call_command("generate_history", series=200, builds=130, seed=2, project="zoo")
    reader = Caller("read")
    grid = reader.get("/projects/zoo/grid", metric="latency_p50")[1]
    cells = [cell for row in grid["rows"] for cell in row["cells"]]
    assert len(cells) == Series.objects.filter(metric="latency_p50").count()
    assert grid["base_sha"] == Build.objects.get(pk=grid["base_id"]).sha
    assert reader.get("/projects/zoo/grid", base="ffffffffff")[0] == 404
    status, told = reader.get("/projects/zoo/grid", metric="speed")
    assert (status, "has no metric 'speed'" in told["error"]["message"]) == (422, True)
    case = {"model": "resnet50", "runner": "tensorrt", "precision": "fp16"}
    hardware = reader.get("/projects/zoo/hardware", **case)[1]
    assert (hardware["picked"]["model"], len(hardware["rows"]) > 1) == ("resnet50", True)
    assert hardware["choices"]["shape"] == ["b1", "b8"]  # a load is no part of a case
    status, capacity = reader.get("/projects/zoo/capacity", **case, p99_ms=50, qps=3000)
    needed = capacity["rows"]
    assert (status, capacity["picked"]["shape"]) == (200, "b1")
    assert all(row["received_at"] for row in needed)
    assert reader.get("/projects/zoo/capacity", **case, shape="b8", p99_ms=50, qps=3000)[1]["rows"] == []
    assert [row["count"] for row in needed if row["count"]] == sorted(
        row["count"] for row in needed if row["count"]
    )
    assert all(row["p99_s"] <= 0.05 and row["qps"] * row["count"] >= 3000 for row in needed if row["count"])
    assert "body" not in str(reader.get("/projects/zoo/capacity", p99_ms=0, qps=1)[1]["error"]["fields"])
    assert reader.get("/projects/zoo/capacity", model="nothing", p99_ms=50, qps=1)[0] == 422


def test_a_soaks_readings_are_answered_or_say_why_not(world, triager, settings, tmp_path):  # noqa: F811
    settings.MEDIA_ROOT = tmp_path
    readings = readings_make()
    job = kept(world, readings.model_dump_json().encode()).strip("/").split("/")[1]
    assert triager.get(f"/jobs/{job}/soak") == (200, json.loads(readings.model_dump_json()))
    status, told = triager.get(f"/jobs/{world.jobs[0].pk}/soak")
    assert (status, "is no soak" in told["error"]["message"]) == (404, True)


@pytest.mark.parametrize("rank", ["time", "noise", "size"])
def test_what_moved_comes_in_pages_by_any_rank_also_where_rows_tie(world, triager, rank):  # noqa: F811
    base, *builds = world.builds[1:5]
    moment = timezone.now()
    sizes = (0.1, 0.3, 0.1)
    rows = [
        judged(world.series, build, base, relative=size, relative_low=size - 0.02, relative_high=size + 0.02)
        for build, size in zip(builds, sizes, strict=True)
    ]
    # an interval that is not known, and a rank like another's
    first = world.builds[0]
    rows.append(judged(world.series, base, first, relative=0.3, relative_low=None, relative_high=None))
    Verdict.objects.update(created_at=moment)
    whole = [row["id"] for row in triager.get("/moved", rank=rank)[1]["items"]]
    assert {row.pk for row in rows} < set(whole)
    seen, before = [], None
    while before is not None or not seen:
        asked = {"before": before} if before else {}
        page = triager.get("/moved", rank=rank, limit=2, **asked)[1]
        seen += [row["id"] for row in page["items"]]
        before = page["next"]
        # what comes at the top meanwhile moves nothing that was not seen yet
        judged(world.series, world.builds[6], base, relative=9.0, relative_low=8.99, relative_high=9.01)
    assert seen == whole
    ties = [row.pk for row in (rows[2], rows[0])]
    assert [pk for pk in whole if pk in ties] == ties


def test_a_page_goes_on_after_a_row_that_was_judged_anew(world, triager):  # noqa: F811
    base, first, second = world.builds[1:4]
    old = judged(world.series, first, base, relative=0.4)
    less = judged(world.series, second, base, relative=0.01)
    page = triager.get("/moved", rank="size", limit=1)[1]
    assert ([row["id"] for row in page["items"]], page["next"]) == ([old.pk], old.pk)
    judged(world.series, first, base, relative=0.0, kind="same")
    after = triager.get("/moved", rank="size", before=old.pk)[1]["items"]
    assert after[-1]["id"] == less.pk
    assert old.pk not in {row["id"] for row in after}
    for rank in ("size", "time"):
        status, wrong = triager.get("/moved", rank=rank, before=10**15)
        assert (status, "begin again without `before`" in wrong["error"]["message"]) == (422, True)
    assert triager.get("/moved", rank="cost")[0] == 422
