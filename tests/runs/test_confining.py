"""A worker's token speaks for the workers that said hello with it, and for no other."""

import hashlib
import json
import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.utils import timezone

from perfsite.access.models import Token
from perfsite.access.services import token_add, token_renew, token_revoke
from perfsite.api import api
from perfsite.core.errors import ForbiddenError
from perfsite.results.models import Artifact, Report
from perfsite.runs.models import Attempt, Job, Pair, Worker
from perfsite.runs.queue import worker_greet
from tests.factories import CPU, build_make, claim, job_make, project_make, worker_make
from tests.reports import report_make
from workers.messages import Device

pytestmark = pytest.mark.django_db
PREFIX = "/api/v1"
OTHER = Device(device_class="cpu", name="Another processor", uuid="cpu-2")


class Box:
    """A machine with a worker's token of its own."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        self.secret = token_add(name=name, purpose="worker")

    def send(self, method, path, body=None):
        data = body if isinstance(body, bytes) else json.dumps(body or {})
        headers = {"Authorization": f"Bearer {self.secret}"}
        send = getattr(self.client, method.lower())
        return send(PREFIX + path, data=data, content_type="application/json", headers=headers)

    def hello(self, worker, device=CPU):
        return self.send("POST", "/worker/hello", {"worker": worker, "device": device.model_dump()})

    def claim(self, worker, device=CPU):
        return self.send("POST", "/worker/claim", {"worker": worker, "device": device.model_dump()})


@pytest.fixture(autouse=True)
def artifacts_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def box(client):
    return Box(client, "box")


@pytest.fixture
def stranger(client):
    return Box(client, "stranger")


@pytest.fixture
def order(box):
    job_make(build_make(project_make(), 1), kind=Job.Kind.COMPARE)
    assert box.hello("w1").status_code == 200
    return box.claim("w1").json()


def rows():
    """Everything that a worker's call may write."""
    kinds = (Worker, Job, Attempt, Pair, Report, Artifact)
    return [model_to_dict(row) for kind in kinds for row in kind.objects.order_by("pk")]


def calls(token):
    """Method, path and a body that is right in itself, of every call that names an attempt."""
    job = Attempt.objects.get(token=token).job
    digest = hashlib.sha256(b"x").hexdigest()
    return {
        "/attempts/{token}/progress": ("POST", "", {"stage": "measure", "fraction": 0.5}),
        "/attempts/{token}/pairs": ("POST", "", {"number": 0, "values": [[0, "latency_p50", 1.0, 2.0]]}),
        "/attempts/{token}/failure": ("POST", "", {"kind": "measure", "message": "no"}),
        "/attempts/{token}/give-back": ("POST", "", {}),
        "/attempts/{token}/artifacts/{name}": ("PUT", f"?kind=log&sha256={digest}", b"x"),
        "/attempts/{token}/report": (
            "POST", "", report_make(job, {"latency_p50": 0.01}).model_dump_json().encode()
        ),
    }  # fmt: skip


def test_every_call_about_an_attempt_is_tried_here(order):
    paths = {path.removeprefix(PREFIX) for path in api.get_openapi_schema()["paths"]}
    assert {path for path in paths if "/attempts/{token}" in path} == set(calls(order["token"]))


def test_the_attempts_of_another_tokens_worker_are_refused_and_nothing_is_written(order, stranger):
    before = rows()
    for path, (method, query, body) in calls(order["token"]).items():
        address = path.format(token=order["token"], name="a.txt") + query
        answer = stranger.send(method, address, body)
        assert answer.status_code == 403, path
        told = answer.json()["error"]["message"]
        assert all(word in told for word in ("'w1'", "'box'", "'stranger'", "--name", "revoke")), told
        assert rows() == before, path


def test_an_ended_attempt_of_another_worker_tells_a_stranger_nothing_either(box, order, stranger):
    path = f"/attempts/{order['token']}/give-back"
    assert box.send("POST", path).status_code == 200
    assert (box.send("POST", path).status_code, stranger.send("POST", path).status_code) == (410, 403)


def test_hello_and_claim_in_the_name_of_another_tokens_worker_are_refused(order, stranger):
    before = rows()
    assert stranger.hello("w1").status_code == 403
    assert stranger.hello("w1", OTHER).status_code == 403
    assert stranger.claim("w1").status_code == 403
    assert rows() == before
    assert Attempt.objects.get().state == "running"  # a claim in its worker's name would have lost it


def test_one_token_serves_many_workers(box):
    project = project_make()
    for number, device in enumerate((CPU, OTHER)):
        job_make(build_make(project, number + 1))
        assert box.hello(f"w{number}", device).status_code == 200
        token = box.claim(f"w{number}", device).json()["token"]
        beat = {"stage": "measure", "fraction": 0.1}
        assert box.send("POST", f"/attempts/{token}/progress", beat).status_code == 200
    assert set(Worker.objects.values_list("token__name", flat=True)) == {"box"}


def _revoked():
    token_revoke(name="box")


def _expired():
    Token.objects.filter(name="box").update(expires_at=timezone.now() - timedelta(seconds=1))


def _gone():
    Token.objects.get(name="box").delete()


@pytest.mark.parametrize("end", [_revoked, _expired, _gone])
@pytest.mark.parametrize("first", ["hello", "claim", "progress"])
def test_a_new_token_takes_the_worker_over_once_the_old_one_lives_no_more(order, stranger, end, first):
    end()
    if first == "progress":
        beat = {"stage": "measure", "fraction": 0.5}
        answer = stranger.send("POST", f"/attempts/{order['token']}/progress", beat)
    else:
        answer = getattr(stranger, first)("w1")
    assert answer.status_code == 200, answer.content
    assert Worker.objects.get().token.name == "stranger"


@pytest.mark.parametrize("first", ["hello", "claim", "progress"])
def test_a_worker_of_an_earlier_release_belongs_to_the_first_token_that_comes(box, stranger, first):
    job_make(build_make(project_make(), 1))
    attempt = claim(worker_make())
    assert attempt.worker.token is None
    beat = f"/attempts/{attempt.token}/progress"
    body = {"stage": "measure", "fraction": 0.5}
    answer = box.send("POST", beat, body) if first == "progress" else getattr(box, first)("w1")
    assert answer.status_code == 200, answer.content
    assert stranger.send("POST", beat, body).status_code == 403
    assert stranger.hello("w1").status_code == 403
    assert Worker.objects.get().token.name == "box"


def test_a_renewed_token_has_its_workers_again(client):
    box = Box(client, "embedded-worker")
    assert box.hello("w1").status_code == 200
    box.secret = token_renew(name=box.name, purpose="worker")
    assert box.hello("w1").status_code == 200
    assert Worker.objects.get().token == Token.objects.get(name=box.name)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["a new name", "an earlier release's worker"])
def test_of_two_tokens_at_the_first_hello_one_gets_the_worker(known):
    if connection.vendor == "sqlite":
        _one_after_the_other(known)
        return
    tokens = [_token(f"t{number}") for number in range(8)]
    if known:
        worker_make()
    start = threading.Barrier(len(tokens))
    ended: list[str] = []

    def greet(token):
        try:
            start.wait()
            ended.append(worker_greet(name="w1", device=CPU, facts={}, token=token).token.name)
        except ForbiddenError as error:
            ended.append(re.search(r"belongs to token '(\w+)'", str(error))[1])
        finally:
            connection.close()

    threads = [threading.Thread(target=greet, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [Worker.objects.get().token.name] * len(tokens)


def _one_after_the_other(known):
    """SQLite's test database is private to one connection, and its writers wait for each other anyway."""
    if known:
        worker_make()
    worker_greet(name="w1", device=CPU, facts={}, token=_token("t0"))
    with pytest.raises(ForbiddenError, match="belongs to token 't0'"):
        worker_greet(name="w1", device=CPU, facts={}, token=_token("t1"))


def _token(name):
    token_add(name=name, purpose="worker")
    return Token.objects.get(name=name)
