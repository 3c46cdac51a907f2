"""Every address x role, generated from the URL configuration: a view without a rule fails here."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from perfsite.access.models import AuditEntry, Membership
from perfsite.access.people import role_set
from perfsite.access.roles import Role, role_in
from perfsite.addresses import addresses
from perfsite.api import api
from perfsite.permissions import RULES, SAFE
from perfsite.runs.models import Project
from tests.dashboards.conftest import world  # noqa: F401 - the fixture
from tests.factories import build_make, case_make, claim, job_make, project_make
from tests.webhooks.signing import signed

OTHER_SESSION = {"login", "logout", "login-link"}  # they change who is asking


ADDRESSES = addresses(get_resolver())
OPERATIONS = api.get_openapi_schema()["paths"]  # once: it takes half a second


def methods(route: str) -> tuple[str, ...]:
    """How an address may be asked: pages are read and posted to, operations are in the document."""
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
    operations = OPERATIONS.get(path)
    return tuple(word.upper() for word in operations) if operations else ("GET", "POST")


METHODS = {route: methods(route) for _, route in ADDRESSES}


def test_every_address_has_a_rule():
    missing = sorted({name for name, _ in ADDRESSES} - RULES.keys())
    assert missing == [], "add a row for each to RULES in perfsite/permissions.py"


def filled(pattern: str, numbers: dict[str, int]) -> str:
    """A pattern as an address of the world's own rows."""
    words = pattern.split("/")

    def value(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        if name in ("slug", "project"):
            return "zoo"
        if kind in ("uuid", "") and name == "token":
            return "12345678-1234-5678-1234-567812345678"
        before = next((word for word in reversed(words[: _place(words, match[0])]) if word in numbers), "")
        return str(numbers.get(before, 1))

    return "/" + re.sub(r"<(?:(\w+):)?(\w+)>", value, pattern)


def _place(words: list[str], text: str) -> int:
    return next(number for number, word in enumerate(words) if text in word)


@pytest.fixture
def numbers(world):  # noqa: F811
    job = world.jobs[0]
    return {
        "builds": job.run.build_id,
        "runs": job.run_id,
        "jobs": job.pk,
        "series": world.series.pk,
        "incidents": world.incident.pk,
        "artifacts": job.artifacts.get().pk,
        "outbox": world.mail.pk,
    }


def asked(client: Client, method: str, address: str) -> int:
    sent = {"data": "{}", "content_type": "application/json"} if method != "GET" else {}
    client.raise_request_exception = False
    return client.generic(method, address, **sent).status_code


@pytest.mark.parametrize("role", ["anonymous", "stranger", *(role.name.lower() for role in Role if role)])
def test_a_role_may_what_the_table_says_and_no_more(role, numbers, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    settings.API_PER_MINUTE = {"worker": 10**6, "": 10**6}
    settings.API_PER_MINUTE_ADDRESS = 10**6
    held = Role.NONE if role in ("anonymous", "stranger") else Role[role.upper()]
    if role != "anonymous":
        user = django_user_model.objects.create_user("eve")
        client.force_login(user)
    if held:
        Membership.objects.create(user=user, project=Project.objects.get(slug="zoo"), role=role)
    wrong = []
    for pattern in METHODS:
        names = [name for name, route in ADDRESSES if route == pattern]
        if OTHER_SESSION & set(names):
            continue
        address = filled(pattern, numbers)
        for method in METHODS[pattern]:
            status = asked(client, method, address)
            if status in (405, 404, 422, 400, 410, 429) and held:
                continue  # not refused for its role: there is no such method or row, or the body is empty
            need = max(RULES[name].read if method in SAFE else RULES[name].write for name in names)
            refused = status in (302, 401, 403, 404, 405, 429) if not held else status == 403
            # one project's administrator is not the site's
            site_wide = need is Role.ADMINISTRATOR and "slug" not in pattern
            allowed = held >= need and not site_wide
            if need is not Role.NONE and allowed == refused:
                wrong.append(f"{method} {address} {names}: {status} as {role}, the table asks {need.name}")
    assert wrong == []


def test_a_superuser_is_refused_nowhere(numbers, client, django_user_model, settings):
    """Who logs in by a link of the command line, and who `createsuperuser` made."""
    settings.API_PER_MINUTE = {"worker": 10**6, "": 10**6}
    client.force_login(django_user_model.objects.create_superuser("root"))
    refused = []
    for name, pattern in ADDRESSES:
        rule = RULES[name]
        if OTHER_SESSION & {name} or max(rule.read, rule.write) is Role.NONE:
            continue  # open to all, or with secrets of its own
        for method in METHODS[pattern]:
            status = asked(client, method, filled(pattern, numbers))
            if status in (401, 403) or status >= 500:
                refused.append(f"{method} {pattern}: {status}")
    assert refused == []


@pytest.mark.parametrize("role", ["anonymous", "stranger"])
def test_a_private_project_shows_nothing_to_strangers(role, numbers, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    settings.API_PER_MINUTE_ADDRESS = 10**6
    if role == "stranger":
        client.force_login(django_user_model.objects.create_user("eve"))
    client.raise_request_exception = False
    leaks = []
    for name, pattern in ADDRESSES:
        address = filled(pattern, numbers)
        if name in OTHER_SESSION:
            continue
        answer = client.get(address)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        words = (b"Model zoo", b"commit 3", b"cnn/torch")
        if answer.status_code == 200 and any(word in body for word in words):
            leaks.append(address)
    assert leaks == []


def test_a_worker_tells_readers_alone_what_it_runs(world, client, django_user_model, settings):  # noqa: F811
    settings.DEFAULT_ROLE = ""
    job = job_make(build_make(world.project, 30), case_make(model="secretnet"))
    claim(world.worker)
    project_make(slug="other")
    client.force_login(django_user_model.objects.create_user("eve"))
    role_set(username="eve", role="viewer", project="other")
    for address in ("/", "/workers/", "/?format=json", "/workers/?format=json", "/workers/?format=csv"):
        body = client.get(address).content
        assert b"secretnet" not in body, address
        assert b"Model zoo" not in body, address
    assert b"with a project that you do not see" in client.get("/workers/").content
    (row,) = client.get("/workers/?format=json").json()["workers"]
    assert job.pk not in row.values()
    role_set(username="eve", role="viewer", project="zoo")
    assert b"secretnet" in client.get("/workers/").content


def test_a_role_in_one_project_is_none_in_another(world, django_user_model, settings):  # noqa: F811
    settings.DEFAULT_ROLE = ""
    role_set(username="ada", role="maintainer", project="zoo")
    ada = django_user_model.objects.get(username="ada")
    assert role_in(ada, world.project.pk) is Role.MAINTAINER
    assert role_in(ada, world.project.pk + 1) is Role.NONE
    role_set(username="ada", role="none", project="zoo")
    assert role_in(ada, world.project.pk) is Role.NONE
    assert [entry.detail["role"] for entry in AuditEntry.objects.order_by("pk")] == ["maintainer", "none"]


def test_a_session_is_judged_whatever_headers_come_with_it(numbers, client, django_user_model, settings):
    settings.DEFAULT_ROLE = "viewer"
    client.force_login(django_user_model.objects.create_user("eve"))
    address = f"/api/v1/runs/{numbers['runs']}/cancel"
    assert client.post(address, headers={"Authorization": "Bearer nonsense"}).status_code == 403


def test_who_changed_what_is_written_down_without_secrets(numbers, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ada"))
    address = f"/runs/{numbers['runs']}/again/"
    assert client.post(address, {"note": "x", "webhook_secret": "tell-nobody"}).status_code == 302
    entry = AuditEntry.objects.get(action="run-again")
    assert (entry.actor, entry.target) == ("ada", address)
    assert entry.detail == {"note": "x", "webhook_secret": "(hidden)"}
    assert not AuditEntry.objects.filter(detail__icontains="tell-nobody").exists()


def test_five_wrong_passwords_shut_a_name_out_from_an_address(client, django_user_model, settings):
    settings.AXES_ENABLED = True
    django_user_model.objects.create_user("ada", password="difference-engine")
    wrong = {"username": "ada", "password": "guess"}
    statuses = [client.post("/login/", wrong).status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert statuses == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    right = {"username": "ada", "password": "difference-engine"}
    shut = client.post("/login/", right)
    assert (shut.status_code, b"shut out" in shut.content) == (429, True)
    assert client.post("/login/", right, REMOTE_ADDR="10.0.0.9").status_code == 302
    assert AuditEntry.objects.filter(action="login-failed", actor="ada").exists()


def test_wrong_passwords_for_many_names_shut_their_address_out(client, django_user_model, settings):
    settings.AXES_ENABLED, settings.LOGIN_FAILURES_ADDRESS = True, 4
    django_user_model.objects.create_user("ada", password="difference-engine")
    right = {"username": "ada", "password": "difference-engine"}
    here, elsewhere = {"REMOTE_ADDR": "10.4.5.6"}, {"REMOTE_ADDR": "10.4.5.7"}
    tried = [{"username": f"name-{number}", "password": "guess"} for number in range(6)]
    statuses = [client.post("/login/", wrong, **here).status_code for wrong in tried]
    assert statuses == [200] * 4 + [429] * 2
    shut = client.post("/login/", right, **here)
    assert (shut.status_code, b"shut out" in shut.content) == (429, True)
    assert client.post("/login/", right, **elsewhere).status_code == 302


def test_right_passwords_count_nothing_against_their_address(client, django_user_model, settings):
    settings.AXES_ENABLED, settings.LOGIN_FAILURES_ADDRESS = True, 2
    django_user_model.objects.create_user("ada", password="difference-engine")
    right = {"username": "ada", "password": "difference-engine"}
    statuses = {client.post("/login/", right, REMOTE_ADDR="10.4.5.8").status_code for _ in range(5)}
    assert statuses == {302}


def test_an_address_that_guesses_secrets_is_slowed_down(client, settings, world):  # noqa: F811
    settings.WEBHOOK_REFUSALS_PER_MINUTE = 3
    here = {"REMOTE_ADDR": "10.9.8.7", "content_type": "application/json"}
    statuses = [client.post("/webhooks/github/zoo/", b"{}", **here).status_code for _ in range(5)]
    assert statuses == [403, 403, 403, 429, 429]
    elsewhere = client.post("/webhooks/github/zoo/", b"{}", content_type="application/json")
    assert elsewhere.status_code == 403
    # others share a forge's address, and theirs are right
    secret = Project.objects.get(slug="zoo").webhook_secret
    right = {"X-Hub-Signature-256": signed(b"{}", secret), "X-GitHub-Delivery": "1", "X-GitHub-Event": "ping"}
    assert client.post("/webhooks/github/zoo/", b"{}", headers=right, **here).status_code == 200


def test_a_public_project_is_shown_to_strangers_and_changed_by_none(
    numbers, client, django_user_model, settings
):
    settings.DEFAULT_ROLE = ""
    settings.API_PER_MINUTE = {"worker": 10**6, "": 10**6}
    Project.objects.update(is_public=True)
    client.force_login(django_user_model.objects.create_user("eve"))
    wrong = []
    for pattern in METHODS:
        names = [name for name, route in ADDRESSES if route == pattern]
        for method in METHODS[pattern]:
            need = max(RULES[name].read if method in SAFE else RULES[name].write for name in names)
            if need is Role.NONE or OTHER_SESSION & set(names):
                continue
            status = asked(client, method, filled(pattern, numbers))
            if status not in (403, 404, 405):
                wrong.append(f"{method} {names}: {status}")
    assert wrong == []
    assert client.get("/projects/zoo/").status_code == 200


@pytest.mark.django_db
def test_a_box_is_joined_by_one_command_whose_token_works(capsys, client, settings):
    settings.SITE_URL = "https://perf.example.org"
    call_command("worker", "add", "box-1")
    line = capsys.readouterr().out
    assert line.startswith(" export PERFSITE_SITE=https://perf.example.org PERFSITE_TOKEN=ps_worker_")
    secret = re.search(r"PERFSITE_TOKEN=(\S+);", line)[1]
    hello = {"protocol": 0, "worker": "w", "device": {"device_class": "cpu", "name": "n", "uuid": "u"}}
    headers = {"Authorization": f"Bearer {secret}"}
    answer = client.post("/api/v1/worker/hello", hello, content_type="application/json", headers=headers)
    assert answer.status_code == 409
