"""A delivered file and a pull request, from their signed deliveries to their numbers."""

import hashlib
import json
import uuid

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from perfsite.webhooks.signature import signature_make
from tests.e2e.service import MODELS, Service, Watched, wait_for
from tests.workers.file_server import FileServer

pytestmark = pytest.mark.e2e
CONFIG = """
[defaults]
runners = ["torch"]
suites = ["build", "latency"]
duration = 0.1
[pull_requests]
max_pairs = 4
[models.quick]
entry = "models.py:build"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = Service(tmp_path_factory.mktemp("home"))
    running.environment |= {
        "PERFSITE_FETCH_SCHEMES": "http",
        "PERFSITE_OUTBOUND_NETWORKS": "127.0.0.1/32",
    }
    try:
        running.up(8741)
        running.token = running.manage("token", "add", "tests", "--purpose", "read").strip()
        yield running
    finally:
        left = running.close()
    assert left == []


def onnx_bytes(width: int) -> bytes:
    """A tiny real network: x @ w, relu."""
    weights = numpy_helper.from_array(np.ones((width, 4), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    ends = [("x", ["batch", width]), ("y", ["batch", 4])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
    graph = helper.make_graph(nodes, "tiny", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    return model.SerializeToString()


def delivered(service, watched, payload, *, forge="generic", event="") -> httpx.Response:
    body = json.dumps(payload).encode()
    mark, name = ("Hub", "GitHub") if forge == "github" else ("Perfsite", "Perfsite")
    headers = {
        f"X-{mark}-Signature-256": signature_make(secret=watched.secret, body=body),
        f"X-{name}-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": event,
        "Content-Type": "application/json",
    }
    url = f"{service.url}/webhooks/{forge}/{watched.slug}/"
    return httpx.post(url, content=body, headers=headers, timeout=30)


def test_delivered_onnx_files_are_fetched_verified_and_measured_in_order(service):
    watched = Watched(service, "files")
    with FileServer() as server:
        bodies = [onnx_bytes(8), onnx_bytes(16)]
        for number, body in enumerate(bodies):
            server.files[f"/{number}.onnx"] = body
            payload = {
                "kind": "artifact", "ref": "main", "model": "tiny", "url": server.url(f"/{number}.onnx"),
                "sha256": hashlib.sha256(body).hexdigest(), "size": len(body),
                "rules": {"measure": {"suites": ["build", "latency"], "duration": 0.1}},
            }  # fmt: skip
            assert delivered(service, watched, payload).status_code == 202
        lie = payload | {"sha256": "0" * 64}
        assert delivered(service, watched, lie).status_code == 202
        wait_for(lambda: _ended(service, "files", 3), 120, lambda: str(service.jobs("files")))
    jobs = service.jobs("files")
    assert sorted(job["state"] for job in jobs) == ["done", "done", "failed"]
    (failed,) = [job for job in jobs if job["state"] == "failed"]
    assert "delivered was 0000" in json.dumps(failed)
    series = service.get("/projects/files/series?limit=100")["items"]
    assert {one["metric"] for one in series} >= {"latency_p50", "model_size"}
    (size,) = [one for one in series if one["metric"] == "model_size"]
    points = service.get(f"/series/{size['id']}/points")["items"]
    assert sorted((point["ordinal"], point["value"]) for point in points) == [
        (place, len(body)) for place, body in enumerate(bodies, start=1)
    ]


def _ended(service, slug, count) -> bool:
    jobs = service.jobs(slug)
    return len(jobs) == count and all(job["state"] in ("done", "failed") for job in jobs)


def test_pull_request_is_compared_with_its_merge_base(service):
    watched = Watched(service, "pulls")
    watched.commit("one", models_DOT_py=MODELS, perfsite_DOT_toml=CONFIG)
    watched.git("checkout", "-q", "-b", "work")
    head = watched.commit("wider", models_DOT_py=MODELS.replace("Linear(8, 8)", "Linear(8, 64)"))
    watched.git("update-ref", "refs/pull/1/head", head)
    watched.git("checkout", "-q", "main")
    watched.git("branch", "-q", "-D", "work")
    repository = {"full_name": f"{watched.path.parent.name}/{watched.path.name}"}
    payload = {
        "action": "opened",
        "number": 1,
        "repository": repository,
        "pull_request": {
            "title": "Wider",
            "head": {"ref": "work", "sha": head, "repo": repository},
            "base": {"ref": "main", "sha": head, "repo": repository},
            "user": {"login": "ada", "id": 1},
        },
    }
    answer = delivered(service, watched, payload, forge="github", event="pull_request")
    assert answer.status_code == 202, answer.text
    public = "from perfsite.runs.models import Project; Project.objects.update(is_public=True)"
    service.manage("shell", "-c", public)
    page = f"{service.url}/projects/pulls/pulls/github/1/"
    wait_for(lambda: "Parameters" in httpx.get(page).text, 120, lambda: httpx.get(page).text)
    html = httpx.get(page).text
    assert "Parameters" in html  # counted: eight times as many, so the check fails
    assert "regressed" in html
    # it is on no branch: nothing of it is a point
    assert service.get("/projects/pulls/series?limit=100")["items"] == []
