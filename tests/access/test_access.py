"""Tokens, login links, and who may read what over the API."""

import hashlib
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from perfsite.access.models import LoginLink, Token
from perfsite.access.services import login_link_add, token_add, token_find, token_renew, token_revoke
from perfsite.core.errors import PerfsiteError
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db


def test_secret_is_stored_as_its_digest_only():
    secret = token_add(name="ci", purpose="read")
    token = Token.objects.get()
    assert token.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(Token.objects.values())


def test_revoked_and_expired_do_not_pass():
    secret = token_add(name="ci", purpose="read")
    assert token_find(secret=secret).last_used_at is None
    assert token_find(secret=secret).last_used_at is not None
    token_revoke(name="ci")
    assert token_find(secret=secret) is None
    later = token_add(name="ci", purpose="read", expires_at=timezone.now() + timedelta(days=1))
    assert token_find(secret=later)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert token_find(secret=later) is None


def test_what_makes_no_token_is_refused():
    token_add(name="ci", purpose="read")
    with pytest.raises(PerfsiteError, match="already"):
        token_add(name="ci", purpose="read")
    with pytest.raises(PerfsiteError, match="known: worker, read, report, deliver, triage"):
        token_add(name="other", purpose="root")
    with pytest.raises(PerfsiteError, match="needs a name"):
        token_add(name=" ", purpose="read")
    with pytest.raises(PerfsiteError, match="every project"):
        token_add(name="gpu", purpose="worker", project_id=project_make().pk)
    with pytest.raises(PerfsiteError, match="no living token"):
        token_revoke(name="other")


def test_former_purpose_is_the_new_one():
    assert token_find(secret=token_add(name="ci", purpose="write")).purpose == "deliver"


def test_command_prints_the_secret_alone(capsys):
    project = project_make(slug="zoo")
    call_command("token", "add", "ci", "--purpose", "report", "--project", "zoo", "--days", "30")
    secret = capsys.readouterr().out.strip()
    token = token_find(secret=secret)
    assert (token.purpose, token.project_id) == ("report", project.pk)
    call_command("token", "list")
    assert "ci\treport\tzoo\tused" in capsys.readouterr().out
    call_command("token", "revoke", "ci")
    assert token_find(secret=secret) is None
    with pytest.raises(CommandError, match="no project 'none'"):
        call_command("token", "add", "x", "--purpose", "read", "--project", "none")


def test_renewed_token_ends_the_old_secret():
    old = token_renew(name="w", purpose="worker")
    new = token_renew(name="w", purpose="worker")
    assert token_find(secret=old) is None
    assert token_find(secret=new)


@pytest.fixture
def client(client):
    client.defaults["SERVER_NAME"] = "127.0.0.1"
    return client


def test_login_link_logs_in_once(client):
    path = f"/login/link/{login_link_add()}/?next=/workers/"
    assert client.get(path, REMOTE_ADDR="127.0.0.1").headers["Location"] == "/workers/"
    assert get_user_model().objects.get().is_superuser
    client.logout()
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("address", ["203.0.113.9", "", "garbage"])
def test_login_link_works_on_this_machine_only(client, address):
    assert client.get(f"/login/link/{login_link_add()}/", REMOTE_ADDR=address).status_code == 403
    assert LoginLink.objects.get().used_at is None


def test_login_link_through_a_proxy_on_this_machine_is_refused(client, settings):
    settings.ALLOWED_HOSTS = ["perf.example.org"]
    answer = client.get(f"/login/link/{login_link_add()}/", SERVER_NAME="perf.example.org")
    assert answer.status_code == 403
    assert LoginLink.objects.get().used_at is None


def test_old_login_link_is_refused(client):
    path = f"/login/link/{login_link_add()}/"
    LoginLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(path).status_code == 403


def test_login_link_goes_to_no_other_site(client):
    answer = client.get(f"/login/link/{login_link_add()}/?next=https://evil.example/")
    assert answer.headers["Location"] == "/"


def paths_of(project):
    build = build_make(project, 1)
    run = job_make(build).run
    return [f"/projects/{project.slug}/builds", f"/builds/{build.pk}/runs", f"/runs/{run.pk}"]


def test_private_project_does_not_exist_for_strangers(client):
    hidden, shown = project_make(), project_make()
    shown.is_public = True
    shown.save()
    assert [row["slug"] for row in client.get("/api/v1/projects").json()["items"]] == [shown.slug]
    for path in paths_of(hidden):
        answer = client.get(f"/api/v1{path}")
        assert answer.status_code == 404
        assert "not for this reader" in answer.json()["error"]["message"]
    for path in paths_of(shown):
        assert client.get(f"/api/v1{path}").status_code == 200


def test_reader_token_and_person_see_all(client):
    project = project_make()
    secret = token_add(name="ci", purpose="read")
    path = f"/api/v1/projects/{project.slug}/builds"
    assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    client.force_login(get_user_model().objects.create_user("ada"))
    assert client.get(path).status_code == 200


def test_cancelling_needs_the_purpose(client):
    job = job_make(build_make(project_make(), 1))
    path = f"/api/v1/runs/{job.run_id}/cancel"
    reader, writer = token_add(name="r", purpose="read"), token_add(name="w", purpose="deliver")
    assert client.post(path).status_code == 401
    refused = client.post(path, headers={"Authorization": f"Bearer {reader}"})
    assert refused.status_code == 403
    assert "needs deliver" in refused.json()["error"]["message"]
    assert client.post(path, headers={"Authorization": f"Bearer {writer}"}).json() == {"jobs": 1}
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_person_needs_the_csrf_token_to_write():
    from django.test import Client

    job = job_make(build_make(project_make(), 1))
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_user("ada"))
    assert strict.post(f"/api/v1/runs/{job.run_id}/cancel").status_code == 403


def test_pages_of_builds_by_cursor(client):
    project = project_make()
    project.is_public = True
    project.save()
    for number in range(1, 6):
        build_make(project, number)
    first = client.get(f"/api/v1/projects/{project.slug}/builds?limit=2").json()
    second = client.get(f"/api/v1/projects/{project.slug}/builds?limit=2&before={first['next']}").json()
    last = client.get(f"/api/v1/projects/{project.slug}/builds?limit=2&before={second['next']}").json()
    ordinals = [row["ordinal"] for page in (first, second, last) for row in page["items"]]
    assert ordinals == [5, 4, 3, 2, 1]
    assert last["next"] is None
