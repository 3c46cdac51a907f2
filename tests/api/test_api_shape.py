"""One shape for every error, one for every page; the document says what is answered."""

import json

import jsonschema_rs
import pytest

from perfsite.access.rights import PURPOSES
from perfsite.access.services import token_add
from perfsite.api import api
from perfsite.core.problems import Problem
from perfsite.runs import api_read
from tests.api.operations import RULES, may
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    return {"Authorization": f"Bearer {token_add(name='r', purpose='read')}"}


@pytest.fixture
def orderer():
    return {"Authorization": f"Bearer {token_add(name='d', purpose='deliver')}"}


def problem_of(answer, status, code):
    assert answer.status_code == status, answer.content
    told = Problem.model_validate(answer.json()).error
    assert told.code == code
    assert told.message
    return told


def test_errors_of_every_kind_have_one_shape(client, reader, orderer):
    project = project_make()
    problem_of(client.get("/api/v1/nothing/here"), 404, "not_found")
    problem_of(client.get("/api/v1/projects/none"), 404, "not_found")
    refused = client.delete("/api/v1/projects", headers=reader)
    problem_of(refused, 405, "method_not_allowed")
    assert set(refused["Allow"].split(", ")) == {"GET", "POST"}
    problem_of(client.get("/api/v1/projects", headers={"Host": "evil.example"}), 400, "malformed")
    unknown = client.get("/api/v1/workers")
    problem_of(unknown, 401, "unauthenticated")
    assert unknown["WWW-Authenticate"].startswith("Bearer")
    wrong = {"Authorization": "Bearer no\udcff-such".encode("utf-8", "replace").decode()}
    problem_of(client.get("/api/v1/projects", headers=wrong), 401, "unauthenticated")
    told = problem_of(client.get("/api/v1/projects?limit=0", headers=reader), 422, "invalid")
    assert [field.where for field in told.fields] == ["query.limit"]
    problem_of(client.get(f"/api/v1/builds/{2**70}", headers=reader), 422, "invalid")
    address = f"/api/v1/projects/{project.slug}/builds"
    for body, status in (
        ("{", 400),
        ("[]", 422),
        ("null", 422),
        ('{"sha": "xyz"}', 422),
        ('{"sha": NaN}', 400),
    ):
        sent = client.post(address, body, content_type="application/json", headers=orderer)
        assert sent.status_code == status, body
        assert Problem.model_validate(sent.json())


def test_the_site_failing_is_a_500_of_the_same_shape(client, reader, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(api_read, "page_of", broken)
    answer = client.get("/api/v1/projects", headers=reader)
    assert "secret" not in problem_of(answer, 500, "internal").message


def test_csrf_is_told_in_the_same_shape(django_user_model):
    from django.test import Client

    job = job_make(build_make(project_make(), 1))
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("ada"))
    answer = strict.post(f"/api/v1/runs/{job.run_id}/cancel")
    assert "CSRF" in problem_of(answer, 403, "forbidden").message


def test_too_many_requests_of_a_stranger_and_of_a_token(client, reader, settings, monkeypatch):
    from perfsite.access import limits

    counter = limits.Counter(settings.REDIS_URL)
    monkeypatch.setattr(limits, "counter", lambda: counter)
    settings.API_PER_MINUTE_ADDRESS = 3
    settings.API_PER_MINUTE = {"": 2}
    got = [client.get("/api/v1/projects").status_code for _ in range(4)]
    assert got == [200, 200, 200, 429]
    refused = client.get("/api/v1/workers", headers={"Authorization": "Bearer guess"})
    problem_of(refused, 429, "too_many_requests")
    assert 1 <= int(refused["Retry-After"]) <= 120
    # a token is counted by itself, wherever it comes from
    assert [client.get("/api/v1/workers", headers=reader).status_code for _ in range(3)] == [200, 200, 429]


def test_an_operation_that_reads_files_has_a_smaller_limit_besides(client, settings, monkeypatch):
    from perfsite.access import limits

    counter = limits.Counter(settings.REDIS_URL)
    monkeypatch.setattr(limits, "counter", lambda: counter)
    settings.API_PER_MINUTE_ADDRESS = 60
    address = "/api/v1/series/1/samples"
    assert [client.get(address).status_code for _ in range(4)] == [404, 404, 404, 429]
    assert client.get("/api/v1/series/1").status_code == 404


def test_address_behind_proxies(rf, settings):
    from perfsite.access.limits import address_of

    request = rf.get("/", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}, REMOTE_ADDR="10.0.0.1")
    assert address_of(request) == "10.0.0.1"
    settings.API_PROXIES = 1
    assert address_of(request) == "203.0.113.9"


def test_document_tells_of_every_error_and_shows_bodies(client):
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            missing = {"401", "403", "404", "422", "429", "500"} - operation["responses"].keys()
            assert not missing, (method, path)
            assert operation["security"], (method, path)
            assert operation["description"], (method, path)
    assert "examples" in json.dumps(schemas["BuildIn"])


def operations():
    document = api.get_openapi_schema()
    for path, found in document["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path.removeprefix('/api/v1')}", operation


def test_every_body_and_answer_has_an_example_that_its_schema_allows():
    components = api.get_openapi_schema()["components"]
    wrong, seen = [], 0
    for name, operation in operations():
        good = [row for status, row in operation["responses"].items() if int(status) < 300]
        for told in [operation.get("requestBody", {}), *good]:
            content = told.get("content", {}).get("application/json")
            if not content:
                continue
            schema = {**content["schema"], "components": components}
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            wrong += [f"{name}: {error}"[:300] for error in validator.iter_errors(content["example"])]
            seen += 1
    assert wrong == []
    assert seen > len(RULES)


def test_the_document_says_whose_token_and_which_role_will_do():
    for name, operation in operations():
        asked = {scheme: words for one in operation["security"] for scheme, words in one.items()}
        purposes = {purpose for purpose in PURPOSES if may(RULES[name], purpose)}
        assert set(asked["Bearer"]) == purposes - {"worker"} or purposes == {"worker"}, name
        if RULES[name] == "manage":
            assert asked["Person"] == ["maintainer"], name
        assert ({} in operation["security"]) == (RULES[name] == "open"), name


def test_unknown_operation_ids_are_not_doubled():
    ids = [
        operation["operationId"]
        for operations in api.get_openapi_schema()["paths"].values()
        for operation in operations.values()
    ]
    assert len(ids) == len(set(ids))
