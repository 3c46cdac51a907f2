"""What a worker tells of itself is bounded: no token fills the database or the monitoring with it."""

import json

import pytest
from pydantic import ValidationError

from benchmarks.environment import environment_read
from perfsite.access.services import token_add
from perfsite.runs.models import Worker
from tests.factories import CPU, build_make, claim, job_make, project_make, worker_make
from workers.messages import FACT_LONGEST, FACTS_MOST, READINGS, Hello, Pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(client):
    headers = {"Authorization": f"Bearer {token_add(name='box', purpose='worker')}"}

    def send(path, body):
        data = body if isinstance(body, str) else json.dumps(body)
        return client.post(f"/api/v1{path}", data, content_type="application/json", headers=headers)

    return send


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({f"fact-{number}": 1 for number in range(FACTS_MOST + 1)}, f"at most {FACTS_MOST} items"),
        ({"settings": "x" * (FACT_LONGEST + 1)}, "body.facts.settings: Value error, a fact has at most"),
        ({"number": 10 ** (FACT_LONGEST + 1)}, "body.facts.number"),
        ({"n" * 61: 1}, "at most 60 characters"),
        ({"list": [1, 2]}, "body.facts.list"),
    ],
    ids=["too many", "a long text", "a long number", "a long name", "no plain value"],
)  # fmt: skip
def test_facts_beyond_their_bounds_are_422_and_leave_no_worker(post, facts, words):
    answer = post("/worker/hello", {"worker": "w1", "device": CPU.model_dump(), "facts": facts})
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert not Worker.objects.exists()


def test_facts_within_their_bounds_are_kept(post):
    facts = {f"fact-{number}": "x" * FACT_LONGEST for number in range(FACTS_MOST)}
    assert (
        post("/worker/hello", {"worker": "w1", "device": CPU.model_dump(), "facts": facts}).status_code == 200
    )
    assert Worker.objects.get().facts == facts


def test_this_machines_own_facts_fit():
    told = environment_read("cpu").facts
    assert Hello(worker="w1", device=CPU, facts=told).facts == told


@pytest.fixture
def attempt(post):
    job_make(build_make(project_make(), 1))
    return claim(worker_make())


@pytest.fixture
def beat(post, attempt):
    return lambda body: post(f"/attempts/{attempt.token}/progress", body)


def test_readings_that_the_site_does_not_know_are_ignored_and_the_lease_is_kept(beat):
    known = dict.fromkeys(READINGS, 1.0)
    told = known | {f"made-up-{number}": 1.0 for number in range(1000)}
    assert beat({"stage": "measure", "fraction": 0.5, "telemetry": told}).status_code == 200
    assert Worker.objects.get().telemetry == known


def test_a_number_that_no_database_keeps_is_400(beat):
    body = '{"stage": "measure", "fraction": 0.5, "telemetry": {"gpu_power": 1e999}}'
    answer = beat(body)
    assert answer.status_code == 400
    assert Worker.objects.get().telemetry == {}


@pytest.mark.parametrize(
    "wrong", [{"remaining_s": "1e310"}, {"telemetry": {"gpu_power": "-1e310"}}, {"remaining_s": "nan"}]
)
def test_text_that_reads_as_no_finite_number_is_422(beat, wrong):
    assert beat({"stage": "measure", "fraction": 0.5} | wrong).status_code == 422
    assert Worker.objects.get().telemetry == {}


@pytest.mark.parametrize("code", [2**31, -(2**31) - 1, 2**63])
def test_an_exit_code_that_no_process_has_is_422_and_the_attempt_goes_on(post, attempt, code):
    body = {"kind": "build", "message": "m", "exit_code": code}
    assert post(f"/attempts/{attempt.token}/failure", body).status_code == 422
    attempt.refresh_from_db()
    assert attempt.state == "running"


def test_a_pair_holds_finite_numbers_only():
    for wrong in ("1e310", "nan"):
        with pytest.raises(ValidationError, match="finite number"):
            Pair.model_validate({"number": 0, "values": [[0, "latency_p50", 1.0, wrong]]})
