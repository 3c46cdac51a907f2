"""Every operation of the document, by every purpose, for the own, another and a public project."""

import json

import pytest
from django.db import transaction

from perfsite.access.rights import PURPOSES
from perfsite.access.services import token_add
from perfsite.api import api
from tests.api.operations import BODIES, QUERIES, RULES, SITE_LISTS, may
from tests.api.worlds import secrets_make, world_make

pytestmark = pytest.mark.django_db
DOCUMENT = api.get_openapi_schema()
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = sorted(
    (f"{method.upper()} {path.removeprefix('/api/v1')}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if method in METHODS
)
PURPOSES_AND_NOBODY = (*PURPOSES, None)


@pytest.fixture
def worlds(db):
    return {
        "own": world_make("own"),
        "other": world_make("other"),
        "public": world_make("public", is_public=True),
    }


@pytest.fixture
def secrets(worlds):
    from perfsite.runs.models import Project

    own = Project.objects.get(slug="own")
    found = {(purpose, False): secret for purpose, secret in secrets_make().items()}
    for purpose in PURPOSES.keys() - {"worker"}:
        found[purpose, True] = token_add(name=f"own {purpose}", purpose=purpose, project_id=own.pk)
    return found


def test_every_operation_has_a_rule_and_every_rule_an_operation():
    assert {name for name, _ in OPERATIONS} == set(RULES)


def ask(client, name, world, secret):
    """The status of an operation about a world's rows, with an empty body."""
    method, path = name.split()
    address = "/api/v1" + (path + QUERIES.get(name, "")).format(**world)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    send = getattr(client, method.lower())
    if method == "GET":
        return send(address, headers=headers).status_code
    body = BODIES.get(name, {})
    if "into" in body:
        body = {"into": world["incident_id"]}
    if name.startswith("POST /series") and "build_id" in body:
        body = {**body, "build_id": world["build_id"]}
    with transaction.atomic():
        told = send(address, data=json.dumps(body), content_type="application/json", headers=headers)
        transaction.set_rollback(True)  # the next one finds the world as it was
    return told.status_code


def expected(name, rule, purpose, *, is_scoped, world) -> set[int]:
    """The statuses that are right: 401 unknown, 403 not with this token, 404 not for this reader."""
    if not may(rule, purpose):
        return {401} if purpose is None else {403}
    if rule == "worker":
        return {204, 409, 410, 422, 400}
    if rule in ("site", "site manage"):
        return {403} if is_scoped else {200, 201}
    is_own = purpose is not None and (world == "own" or not is_scoped)
    if name not in SITE_LISTS and not is_own and world != "public":
        return {404}
    if rule == "inside":
        return {200} if is_own else {403}
    if rule in ("open", "known"):
        # the artifact's file is gone and the job is no soak: that is all that is left to complain about
        return {404} if name.endswith(("/content", "/soak")) else {200}
    if rule == "administer" and is_scoped:
        return {403}
    # whoever may order is only told what the order lacks
    return {200, 201, 204, 409, 422} if is_own else {403}


@pytest.mark.parametrize("world", ["own", "other", "public"])
def test_matrix(client, worlds, secrets, settings, world):
    settings.API_PER_MINUTE, settings.API_PER_MINUTE_ADDRESS = {"": 10**6}, 10**6
    wrong = []
    for name, _ in OPERATIONS:
        for (purpose, is_scoped), secret in [*secrets.items(), ((None, False), None)]:
            if world != "own" and purpose is not None and not is_scoped:
                continue  # as their own
            told = ask(client, name, worlds[world], secret)
            right = expected(name, RULES[name], purpose, is_scoped=is_scoped, world=world)
            if told not in right:
                wrong.append((name, purpose, "one project" if is_scoped else "all", told, sorted(right)))
    assert wrong == []


def test_scoped_reader_sees_its_own_and_the_public_projects(client, secrets):
    headers = {"Authorization": f"Bearer {secrets['read', True]}"}
    page = client.get("/api/v1/projects", headers=headers).json()
    assert [row["slug"] for row in page["items"]] == ["public", "own"]
