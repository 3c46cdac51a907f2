"""Results measured elsewhere: their build and its place, points once, and what is refused."""

import json

import pytest

from perfsite.access.services import token_add
from perfsite.results.models import Artifact, Measurement, Report, Series
from perfsite.results.samples import samples_read
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, BuildFile, Job, Project
from perfsite.runs.services import builds_receive
from tests.factories import build_make, project_make

pytestmark = pytest.mark.django_db
ROW = {"model": "tokenizer", "runner": "pytest", "metric": "latency_p50", "value": 0.002, "n": 400}


@pytest.fixture(autouse=True)
def artifacts_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def project():
    return project_make(slug="zoo")


@pytest.fixture
def send(client, project):
    secret = token_add(name="ci", purpose="report", project_id=project.pk)

    def post(number: int, *rows, **values):
        body = {"sha": f"{number:040x}", "device_class": "ci", "measurements": rows or [ROW], **values}
        return client.post(
            "/api/v1/projects/zoo/results",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )

    return post


def test_results_become_a_build_a_run_a_report_and_points(send, client):
    answer = send(1, ordinal=412, subject="Tokens by table", facts={"cpu_model": "EPYC"}, generator="own")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["stored"], told["points"], told["known"]) == (True, 1, 0)
    build = Build.objects.get()
    assert (build.ordinal, build.state, build.subject) == (412, "planned", "Tokens by table")
    job = Job.objects.get()
    assert (job.kind, job.state, job.run.state, job.model) == ("external", "done", "done", "tokenizer")
    series = Series.objects.get()
    assert (series.split, series.suite, series.shape) == ("elsewhere, cpu_model=EPYC", "elsewhere", "b1")
    point = Measurement.objects.get()
    assert (point.value, point.n, point.ordinal) == (0.002, 400, 412)
    assert Report.objects.get().attempt is None
    assert b"Tokens by table" in __import__("gzip").decompress(Artifact.objects.get().file.read())


def test_the_same_body_twice_is_stored_once_and_another_adds_only_what_is_new(send):
    first, again = send(1).json(), send(1).json()
    assert (again["stored"], again["job_id"]) == (False, first["job_id"])
    more = send(1, ROW, {**ROW, "model": "parser"}).json()
    assert (more["stored"], more["points"], more["known"]) == (True, 1, 1)
    assert Measurement.objects.count() == 2


def test_without_ordinals_builds_come_in_the_order_sent(send):
    places = [send(number).json()["build_id"] for number in (5, 3, 9)]
    assert [Build.objects.get(pk=pk).ordinal for pk in places] == [1, 2, 3]


def test_where_git_gives_the_places_they_must_be_told(send, project):
    build_make(project, 7)
    refused = send(1)
    assert refused.status_code == 409
    assert "git rev-list --count --first-parent" in refused.json()["error"]["message"]
    assert send(1, ordinal=8).status_code == 201
    taken = send(2, ordinal=7)
    assert taken.status_code == 409
    assert "place 7 of main" in taken.json()["error"]["message"]
    assert Build.objects.filter(ordinal=7).count() == 1


def test_after_a_rewrite_the_newer_commit_has_the_place(send):
    send(1, ordinal=1), send(2, ordinal=2)
    assert send(3, ordinal=2).status_code == 201
    old = Build.objects.get(sha=f"{2:040x}")
    assert (old.ordinal, old.state) == (None, "skipped")
    assert [row.build.sha for row in Measurement.objects.filter(ordinal=2)] == [f"{3:040x}"]


def test_a_build_that_the_site_knows_keeps_its_place(send, project):
    known = build_make(project, 4)
    told = send(1, sha=known.sha, ordinal=9).json()
    assert told["build_id"] == known.pk
    assert Measurement.objects.get().ordinal == 4


def test_a_push_of_a_build_known_from_elsewhere_is_planned(send, project):
    send(1, ordinal=1)
    builds_receive(project=project, branch="main", commits=[Commit(sha=f"{1:040x}")], head=f"{1:040x}")
    assert (Build.objects.get().state, Measurement.objects.count()) == ("received", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "speed"}, "unknown metric 'speed'"),
        ({"value": "fast"}, "valid number"),
        ({"ci_low": 1.0}, "not inside its interval"),
        ({"model": ""}, "at least 1 character"),
        ({"n": 0}, "greater than or equal to 1"),
    ],
)
def test_a_row_that_is_wrong_is_refused_whole(send, change, words):
    answer = send(1, ROW, {**ROW, **change})
    assert answer.status_code == 422
    told = answer.json()["error"]
    assert any(words in field["message"] for field in told["fields"]), told
    assert told["fields"][0]["where"].startswith("body.body.measurements.1")
    assert not Build.objects.exists()


def test_names_of_devices_and_commits_are_checked(send):
    assert send(1, device_class="../../x").status_code == 422
    assert send(1, sha="main").status_code == 422
    assert send(1, measurements=[]).status_code == 422


def test_a_branch_of_delivered_files_takes_no_results_of_commits(send, project):
    file = build_make(project, 1, branch="detector")
    BuildFile.objects.create(build=file, url="https://m.example/a.onnx", format="onnx", model="detector")
    answer = send(1, ordinal=2, branch="detector")
    assert answer.status_code == 409
    assert "holds delivered files" in answer.content.decode()
    assert Build.objects.filter(branch="detector").count() == 1


def test_samples_in_a_row_are_no_report_of_ours_and_break_no_reading(send, client):
    assert send(1, {**ROW, "samples": [0.002, 0.0021], "case": "mine"}, ordinal=412).status_code == 201
    series = Series.objects.get()
    Project.objects.update(is_public=True)
    assert samples_read(series=series, build_id=Build.objects.get().pk) == []
    answer = client.get(f"/api/v1/series/{series.pk}/samples")
    assert (answer.status_code, answer.json()) == (200, [])
