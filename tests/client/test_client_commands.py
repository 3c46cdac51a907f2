"""The command line against a real server: what it sends, prints and exits with."""

import csv
import json
import subprocess
from datetime import time
from pathlib import Path

import pytest
from django.utils import timezone

from perfsite.access.services import token_add
from perfsite.client.main import main
from perfsite.client.site import SiteClient
from perfsite.regressions.models import Incident, LevelStanding, Regression, Verdict
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build, ScheduleTurn
from perfsite.runs.schedules import Timing, schedule_add
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db(transaction=True)
DATA = Path(__file__).parent / "data"
SHA = "3fa9c1d2a7b84e0f5c6d7e8f90a1b2c3d4e5f607"


@pytest.fixture
def project(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return project_make(slug="zoo")


@pytest.fixture
def perfsite(live_server, project, monkeypatch, capsys):
    monkeypatch.setenv("PERFSITE_SITE", live_server.url)
    monkeypatch.setenv("PERFSITE_TOKEN", token_add(name="ci", purpose="report", project_id=project.pk))
    monkeypatch.setenv("PERFSITE_PROJECT", "zoo")

    def call(*arguments: str):
        # the parser reads the environment when it is made
        status = main([str(one) for one in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_push_then_trends_and_wait(perfsite, tmp_path):
    sent = ("push", DATA / "pytest_benchmark.json", "--format", "pytest-benchmark", "--device", "ci")
    status, out, err = perfsite(*sent, "--sha", SHA, "--branch", "main", "--ordinal", "12")
    assert (status, err) == (0, "")
    assert "3 new points" in out
    assert Build.objects.get().ordinal == 12
    status, out, _ = perfsite(*sent, "--sha", SHA, "--branch", "main", "--ordinal", "12", "--json")
    assert json.loads(out)[0]["stored"] is False
    file = tmp_path / "t.csv"
    status, _, err = perfsite("trends", "sort", "--metric", "latency_p50", "-o", file)
    assert (status, "2 series" in err) == (0, True)
    rows = list(csv.DictReader(file.open()))
    assert {(row["model"], row["shape"], row["ordinal"]) for row in rows} == {
        ("test_sort", "10", "12"),
        ("test_sort", "1000", "12"),
    }
    perfsite("trends", "-o", tmp_path / "t.parquet")
    from pyarrow import parquet

    table = parquet.read_table(tmp_path / "t.parquet")
    assert (table.num_rows, table.column("unit").to_pylist()) == (3, ["s"] * 3)
    status, out, _ = perfsite("trends", "--json", "join")
    assert [row["model"] for row in json.loads(out)] == ["test_join"]


def test_push_asks_git_for_the_commit(perfsite, tmp_path, monkeypatch):
    def git(*arguments):
        names = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    for number in range(3):
        git("commit", "--allow-empty", "-m", f"step {number}")
    monkeypatch.chdir(tmp_path)
    status, _, err = perfsite("push", DATA / "own.json", "--format", "own", "--device", "ci")
    assert (status, err) == (0, "")
    build = Build.objects.get()
    assert (build.ordinal, build.subject, build.author_email) == (3, "step 2", "ada@example.org")
    status, _, err = perfsite("push", DATA / "asv.json", "--format", "asv", "--device", "ci")
    assert status == 2
    assert "git log" in err  # the file is of a commit that is not here
    assert "--sha" in err


@pytest.mark.parametrize(("kind", "status"), [("regressed", 1), ("improved", 0), ("same", 0), ("unknown", 2)])
def test_wait_exits_by_the_verdict(perfsite, project, kind, status):
    base, build = build_make(project, 1), build_make(project, 2)
    names = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite")
    series = Series.objects.create(
        key="k", project=project, metric="latency_p50", **dict.fromkeys(names, "x")
    )
    values = {"before": 1, "after": 2, "relative": 1.0, "stage": "confirmation", "detector": "t"}
    Verdict.objects.create(
        series=series, build=build, base=base, kind=kind, sentence="It moved.", data_sha256="", **values
    )
    told, out, _ = perfsite("wait", build.sha[:10], "--timeout", "20")
    assert told == status
    assert kind in out
    told, out, _ = perfsite("wait", build.sha, "--json", "--timeout", "20")
    assert json.loads(out)["verdict"] == kind


def test_wait_that_is_too_late_or_for_nothing(perfsite, project):
    job = job_make(build_make(project, 1))
    status, out, _ = perfsite("wait", job.run.build.sha, "--timeout", "0")
    assert (status, "1 measure jobs are queued" in out) == (2, True)
    status, _, err = perfsite("wait", "abcdef1", "--timeout", "0")
    assert (status, "has no build abcdef1" in err) == (2, True)
    status, _, err = perfsite("wait", "HEAD~1", "--timeout", "0")
    assert (status, "neither a build's number nor a commit" in err) == (2, True)


def test_compare_shows_what_moved(perfsite, project):
    builds = [build_make(project, 1), build_make(project, 2)]
    job = job_make(builds[1])
    names = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite")
    for metric, values in {"latency_p50": (0.010, 0.013), "throughput": (100, 100)}.items():
        series = Series.objects.create(
            key=metric, project=project, metric=metric, **dict.fromkeys(names, "x")
        )
        for build, value in zip(builds, values, strict=True):
            Measurement.objects.create(
                series=series, ordinal=build.ordinal, value=value, ci_low=value * 0.99,
                ci_high=value * 1.01, build=build, job=job,
            )  # fmt: skip
    status, out, _ = perfsite("compare", builds[0].sha, builds[1].sha)
    assert status == 0  # it looks worse, and no verdict says so
    assert "1 same, 1 worse" in out
    assert "+30.00 %" in out
    status, out, _ = perfsite("compare", builds[0].pk, builds[1].pk, "--json")
    told = json.loads(out)
    assert told["counts"] == {"worse": 1, "same": 1}
    assert told["ratio"] == pytest.approx(1.3**0.5)
    Verdict.objects.create(
        series=Series.objects.get(key="latency_p50"), build=builds[1], kind="regressed", sentence="Slower.",
        before=1, after=2, relative=0.3, stage="confirmation", detector="t", data_sha256="",
    )  # fmt: skip
    assert perfsite("compare", builds[0].pk, builds[1].pk)[0] == 1


def test_incidents(perfsite, project):
    base, build = build_make(project, 1), build_make(project, 2)
    assert "no incidents" in perfsite("incidents")[1]
    incident = Incident.objects.create(project=project, build=build, range_start=base)
    assert not Regression.objects.exists()
    status, out, _ = perfsite("incidents", "--state", "untriaged")
    assert (status, str(incident.pk) in out, build.short in out) == (0, True, True)
    assert json.loads(perfsite("incidents", "--json")[1])[0]["sha"] == build.sha


def test_a_build_of_another_project_is_refused(perfsite, project):
    mine = build_make(project, 1)
    foreign = build_make(project_make(slug="public", is_public=True), 1)
    sentence = f"build {foreign.pk} is one of public, not of zoo"
    for command in (("wait", foreign.pk, "--timeout", "0"), ("compare", mine.pk, foreign.pk)):
        status, out, err = perfsite(*command)
        assert (status, out, sentence in err) == (2, "", True)


def test_mute_an_incident_and_list_what_is_muted(perfsite, project, monkeypatch):
    base, build = build_make(project, 1), build_make(project, 2)
    incident = Incident.objects.create(project=project, build=build, range_start=base)
    names = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite", "metric")
    series = Series.objects.create(key="k", project=project, **dict.fromkeys(names, "x"))
    LevelStanding.objects.create(
        series=series, level="x at_most", direction="at_most", bound=1.0, value=2.0, is_met=False, ordinal=2,
        build=build, job=job_make(build), incident=incident,
    )  # fmt: skip
    status, _, err = perfsite("mute", incident.pk, "--reason", "moved")
    assert (status, "this needs manage or triage" in err) == (2, True)
    secret = token_add(name="triage", purpose="triage", project_id=project.pk)
    monkeypatch.setenv("PERFSITE_TOKEN", secret)
    assert "nothing is muted" in perfsite("mute")[1]
    status, _, err = perfsite("mute", incident.pk)
    assert (status, "needs --reason" in err) == (2, True)
    status, out, _ = perfsite("mute", incident.pk, "--reason", "moved", "--days", "3")
    assert (status, "1 series muted until" in out) == (0, True)
    rows = json.loads(perfsite("mute", "--json")[1])
    assert [(row["series_id"], row["reason"]) for row in rows] == [(series.pk, "moved")]
    assert "token triage" in perfsite("mute")[1]


def test_schedules_are_listed_and_begun(perfsite, project, monkeypatch):
    assert "no schedules" in perfsite("schedules")[1]
    timing = Timing(name="nightly", what="full", at=time(2), days=[5, 6])
    schedule_add(project=project, timing=timing, now=timezone.now())
    out = perfsite("schedules")[1]
    assert ("nightly" in out, "sat, sun at 02:00 UTC" in out) == (True, True)
    status, _, err = perfsite("schedules", "--begin", "weekly")
    assert (status, "has no schedule 'weekly'; it has nightly" in err) == (2, True)
    monkeypatch.setenv("PERFSITE_TOKEN", token_add(name="d", purpose="deliver", project_id=project.pk))
    status, out, _ = perfsite("schedules", "--begin", "nightly", "--json")
    assert (status, json.loads(out)["state"]) == (0, "open")
    assert ScheduleTurn.objects.get().state == "open"


def test_errors_say_what_to_do(perfsite, monkeypatch, tmp_path, live_server):
    broken = tmp_path / "x.json"
    broken.write_text("{")
    status, _, err = perfsite("push", broken, "--format", "own", "--device", "ci", "--sha", SHA)
    assert (status, "x.json: this is not a report" in err) == (2, True)
    status, _, err = perfsite("push", DATA / "own.json", "--format", "own", "--device", "c i", "--sha", SHA)
    assert (status, "body.device_class" in err) == (2, True)
    status, _, err = perfsite("trends", "-o", tmp_path / "no" / "x.csv")
    assert (status, "No such file" in err) == (2, True)
    monkeypatch.setattr(SiteClient, "get", lambda *_, **__: {"unexpected": "answer"})
    status, _, err = perfsite("wait", SHA)
    assert (status, "is no Perfsite" in err) == (2, True)  # 1 would say that it regressed
    monkeypatch.undo()
    for name, value in {"SITE": live_server.url, "TOKEN": "wrong"}.items():
        monkeypatch.setenv(f"PERFSITE_{name}", value)
    status, _, err = perfsite("incidents")
    assert (status, "no living token has this secret" in err, "token add" in err) == (2, True, True)
    monkeypatch.setenv("PERFSITE_SITE", "http://127.0.0.1:1")
    status, _, err = perfsite("incidents")
    assert (status, "does not answer" in err, "PERFSITE_SITE" in err) == (2, True, True)
    monkeypatch.setenv("PERFSITE_SITE", "")
    assert "which site" in perfsite("incidents")[2]


def test_of_a_commit_of_several_branches_the_projects_own_row_is_meant(perfsite, project):
    """Rows come in the order of pushes: the newest may be a pull request's, or of a branch nobody watches."""
    main = build_make(project, 3, sha=SHA)
    topic = build_make(project, 40, sha=SHA, branch="topic")
    Build.objects.create(project=project, sha=SHA, branch="pull/7", ordinal=None, state="planned")
    late = build_make(project, 2, sha="4" * 40)  # pushed after, lies before: its number says nothing

    def waited(*more: str) -> int:
        told = json.loads(perfsite("wait", *more, "--timeout", "0", "--json")[1])
        return told["build_id"]

    assert waited(SHA[:12]) == main.pk
    assert waited(SHA[:12], "--branch", "topic") == topic.pk
    assert waited(late.sha) == late.pk
    main.delete()
    assert waited(SHA[:12]) == topic.pk
