"""The worker's API over HTTP: tokens, claims, heartbeats, artifacts, reports."""

import gzip
import hashlib
import json

import pytest

from perfsite.access.services import token_add
from perfsite.results.models import Artifact
from perfsite.runs.models import Job
from tests.factories import CPU, build_make, job_make, project_make
from tests.reports import report_make
from workers.messages import Order

pytestmark = pytest.mark.django_db
WHO = {"worker": "w1", "device": CPU.model_dump()}


@pytest.fixture(autouse=True)
def artifacts_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def call(client):
    secret = token_add(name="worker", purpose="worker")

    def post(path, body, *, method="post", **extra):
        headers = {"Authorization": f"Bearer {secret}", **extra.pop("headers", {})}
        data = body if isinstance(body, bytes) else json.dumps(body)
        send = getattr(client, method)
        return send(f"/api/v1{path}", data=data, content_type="application/json", headers=headers, **extra)

    return post


@pytest.fixture
def order(call) -> Order:
    job_make(build_make(project_make(), 1))
    call("/worker/hello", WHO)
    return Order.model_validate(call("/worker/claim", WHO).json())


def test_no_token_and_wrong_purpose_are_refused(client):
    reader = token_add(name="reader", purpose="read")
    sent = {None: 401, "nonsense": 401, reader: 403}
    for secret, status in sent.items():
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        answer = client.post(
            "/api/v1/worker/claim", data="{}", content_type="application/json", headers=headers
        )
        assert answer.status_code == status


def test_hello_tells_the_terms(call, settings):
    answer = call("/worker/hello", WHO)
    assert answer.status_code == 200
    assert answer.json()["lease_s"] == settings.LEASE_SECONDS


def test_other_protocol_is_refused_with_what_to_do(call):
    answer = call("/worker/hello", {**WHO, "protocol": 99})
    assert answer.status_code == 409
    assert "install the same version" in answer.json()["error"]["message"]


def test_claim_before_hello_is_refused(call):
    assert call("/worker/claim", WHO).status_code == 409


def test_claim_of_an_empty_queue_is_204(call):
    call("/worker/hello", WHO)
    assert call("/worker/claim", WHO).status_code == 204


def test_progress_then_report_then_no_more(call, order):
    answer = call(f"/attempts/{order.token}/progress", {"stage": "export", "fraction": 0.5})
    assert answer.json() == {"cancel": False, "others_wait": False, "lease_s": 60.0}
    row = _job(order)
    body = gzip.compress(report_make(row, {"latency_p50": 0.01}).model_dump_json().encode())
    sent = call(f"/attempts/{order.token}/report", body, headers={"Content-Encoding": "gzip"})
    assert (sent.status_code, sent.json()) == (200, {"stored": True})
    again = call(f"/attempts/{order.token}/report", body, headers={"Content-Encoding": "gzip"})
    assert again.json() == {"stored": False}
    assert call(f"/attempts/{order.token}/progress", {"stage": "x", "fraction": 1}).status_code == 410


def _job(order):
    return Job.objects.get(pk=order.job_id)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"format": 2}', b"\xff\xfe", json.dumps({"format": 1}).encode()]
)
def test_what_is_no_report_is_422_and_leaves_the_job(call, order, body):
    assert call(f"/attempts/{order.token}/report", body).status_code == 422
    assert _job(order).state == "running"


def test_truncated_gzip_is_422(call, order):
    body = gzip.compress(report_make(_job(order), {"latency_p50": 0.01}).model_dump_json().encode())[:-20]
    sent = call(f"/attempts/{order.token}/report", body, headers={"Content-Encoding": "gzip"})
    assert sent.status_code == 422


@pytest.mark.parametrize("path", ["report", "artifacts/a.txt?kind=log&sha256="])
def test_a_full_disk_of_the_site_is_503_and_the_report_counts_later(call, order, settings, tmp_path, path):
    (tmp_path / "a-file").write_bytes(b"")
    room, settings.MEDIA_ROOT = settings.MEDIA_ROOT, tmp_path / "a-file"  # no folder can be made below it
    body = report_make(_job(order), {"latency_p50": 0.01}).model_dump_json().encode()
    method = "post" if path == "report" else "put"
    refused = call(f"/attempts/{order.token}/{path}", body, method=method)
    assert refused.status_code == 503, refused.content
    assert "cannot store this now" in refused.json()["error"]["message"]
    assert _job(order).state == "running"
    settings.MEDIA_ROOT = room
    assert call(f"/attempts/{order.token}/{path}", body, method=method).status_code in (200, 201)


def test_gzip_bomb_is_413(call, order, settings):
    settings.REPORT_MAX_BYTES = 2**20
    sent = call(
        f"/attempts/{order.token}/report", gzip.compress(b" " * 2**22), headers={"Content-Encoding": "gzip"}
    )
    assert sent.status_code == 413


def test_artifact_is_kept_once_and_checked(call, order, settings):
    content = b"onnx bytes"
    digest = hashlib.sha256(content).hexdigest()
    path = f"/attempts/{order.token}/artifacts/model.onnx?kind=onnx&sha256="
    assert call(path + "0" * 64, content, method="put").status_code == 400
    assert call(path + digest, content, method="put").status_code == 201
    assert call(path + digest, content, method="put").status_code == 200
    kept = Artifact.objects.get()
    assert (kept.sha256, kept.size, kept.file.read()) == (digest, len(content), content)
    settings.ARTIFACT_MAX_BYTES = 4
    assert call(path + digest, content, method="put").status_code == 413


def test_failure_and_give_back(call, order):
    assert call(f"/attempts/{order.token}/give-back", {}).status_code == 200
    assert _job(order).state == "queued"
    second = Order.model_validate(call("/worker/claim", WHO).json())
    failure = {"kind": "export", "message": "no", "log": "tail"}
    assert call(f"/attempts/{second.token}/failure", failure).status_code == 200
    assert _job(order).failure_kind == "export"
    assert call(f"/attempts/{second.token}/failure", failure).status_code == 410


def test_unknown_failure_kind_is_422(call, order):
    assert call(f"/attempts/{order.token}/failure", {"kind": "mood", "message": ""}).status_code == 422
