"""Delivered files: what the intake takes, refuses, and queues."""

from __future__ import annotations

import pytest

from perfsite.runs import files
from perfsite.runs.files import files_plan
from perfsite.runs.models import Build, BuildFile, Job
from perfsite.runs.plan import line_realign
from perfsite.runs.queue import job_claim, order_make
from perfsite.webhooks.models import Delivery, RefusalCount
from tests.factories import worker_make

A, B = "a" * 64, "b" * 64
URL = "https://models.example/detector.onnx?X-Amz-Signature=secret"


def artifact(sha256: str = A, **more) -> dict:
    return {
        "kind": "artifact",
        "ref": "detector",
        "model": "detector",
        "url": URL,
        "sha256": sha256,
        "size": 1000,
        "message": "Prune a tenth",
        "author": "Ada <ada@example.org>",
        "rules": {"measure": {"batches": [1, 8], "suites": ["latency"]}, "devices": ["cpu"]},
        **more,
    }


@pytest.fixture
def send(deliver):
    return lambda payload, **more: deliver(payload, forge="generic", **more)


def test_files_stand_on_their_branch_in_the_order_of_delivery(send, project):
    assert send(artifact(A)).json() == {
        "status": "accepted",
        "builds": 1,
        "detail": "detector aaaaaaa, build 1 of detector",
    }
    send(artifact(B, message=""))
    builds = list(Build.objects.order_by("ordinal"))
    assert [(build.sha, build.ordinal, build.branch) for build in builds] == [
        (A, 1, "detector"),
        (B, 2, "detector"),
    ]
    assert (builds[0].subject, builds[0].author_email) == ("Prune a tenth", "ada@example.org")
    # the same file again stays where it is
    again = send(artifact(A))
    assert (again.json()["builds"], Build.objects.count()) == (0, 2)


def test_file_that_is_delivered_again_is_fetched_from_its_new_address(send, project):
    send(artifact())
    fresh = "https://models.example/detector.onnx?X-Amz-Signature=fresh"
    assert send(artifact(url=fresh)).json()["builds"] == 0
    worker = worker_make()
    files_plan()
    assert order_make(attempt=job_claim(worker=worker)).builds[0].file.url == fresh


def test_one_file_that_cannot_be_planned_holds_up_no_other(send, project, monkeypatch):
    worker_make()
    send(artifact(A))
    send(artifact(B))
    whole = files.file_config

    def broken(*, model, rules):
        monkeypatch.setattr(files, "file_config", whole)
        raise KeyError("oddity")

    monkeypatch.setattr(files, "file_config", broken)
    assert files_plan() == 1
    first, second = Build.objects.order_by("ordinal")
    assert (first.state, second.state) == ("received", "planned")
    assert "its log tells why" in first.reason


def test_planned_file_is_ordered_with_its_url_digest_and_limits(send, project, settings):
    settings.FETCH_MAX_BYTES = 900
    send(artifact())
    worker = worker_make()
    assert files_plan() == 1
    job = Job.objects.get()
    assert job.spec["source"] == {
        "kind": "onnx",
        "ref": "model.onnx",
        "evaluate": None,
        "evaluate_lower": (),
    } or (
        job.spec["source"]["kind"],
        job.spec["source"]["ref"],
    ) == ("onnx", "model.onnx")
    assert [(case["runner"], case["batch"]) for case in job.spec["cases"]] == [
        ("onnxruntime", 1),
        ("onnxruntime", 8),
    ]
    (source,) = order_make(attempt=job_claim(worker=worker)).builds
    assert (source.sha, source.file.url, source.file.size, source.file.max_bytes) == (A, URL, 1000, 900)


def test_engine_is_measured_as_an_engine(send, project):
    send(artifact(format="engine", rules={"measure": {"runners": ["tensorrt"]}, "devices": ["h100"]}))
    files_plan()
    assert {(job.spec["source"]["kind"], job.device_class) for job in Job.objects.all()} == {
        ("engine", "h100")
    }


def test_branch_of_commits_takes_no_file_and_keeps_no_delivery(send, project):
    Build.objects.create(project=project, branch="detector", sha="c" * 40)
    answer = send(artifact(), delivery="once")
    assert answer.status_code == 409
    assert "holds commits" in answer.json()["detail"]
    assert Delivery.objects.count() == 0
    assert RefusalCount.objects.get().reason == "file"
    assert send(artifact(ref="files"), delivery="once").status_code == 202


def test_force_push_of_a_branch_of_that_name_takes_no_file_away(send, project):
    send(artifact())
    line_realign(project=project, branch="detector", line={"c" * 40: 1})
    assert Build.objects.get().ordinal == 1


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"url": "file:///etc/passwd"}, 409, "not fetched by 'file'"),
        ({"url": "http://models.example/a.onnx"}, 409, "not fetched by 'http'"),
        ({"url": "https://ada:secret@models.example/a.onnx"}, 400, "user name or password"),
        ({"url": "https:///a.onnx"}, 400, "host"),
        ({"url": "not a url"}, 400, "url:"),
        ({"url": "simplecache::file:///etc/passwd"}, 400, "url:"),
        ({"sha256": "abc"}, 400, "sha256"),
        ({"size": 0}, 400, "size"),
        ({"format": "pickle"}, 400, "format"),
        ({"model": "../x"}, 400, "model"),
        ({"rules": {"measure": {"runners": ["tensort"]}}}, 400, "rules.measure.runners[0]: unknown runner"),
        (
            {"rules": {"measure": {"entry": "evil.py:run"}}},
            400,
            "rules.measure.entry: a delivered file has no repository",
        ),
        ({"rules": {"measur": {}}}, 400, "rules.measur: unknown key"),
        ({"rules": {"level": [{"metric": "throughput"}]}}, 400, "exactly one of at_most and at_least"),
    ],
)
def test_what_cannot_be_taken_is_told(send, project, change, status, words):
    answer = send(artifact(**change))
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.json()
    assert BuildFile.objects.count() == 0


def test_hosts_that_the_operator_names_are_the_only_ones(send, project, settings):
    settings.FETCH_HOSTS = ["*.acme.example"]
    assert "models.example" in send(artifact()).json()["detail"]
    assert send(artifact(url="https://files.acme.example/a.onnx")).status_code == 202
