"""The audit log: what the console does is in it, and what a JSON body held, without secrets."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from perfsite.access.audit import audit_note
from perfsite.access.models import AuditEntry, Token
from perfsite.access.services import token_add
from perfsite.keeping.management.commands import restore
from perfsite.runs.models import Project
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db


def entries() -> dict[str, tuple[str, dict]]:
    return {row.action: (row.target, row.detail) for row in AuditEntry.objects.all()}


COMMANDS = {
    "token-add": (
        ["token", "add", "ci", "--purpose", "read", "--days", "7"],
        ("ci", {"purpose": "read", "project": "", "days": "7"}),
    ),
    "worker-add": (["worker", "add", "box-1"], ("box-1", {})),
    "login-link-add": (["login_link", "--user", "ada"], ("ada", {})),
    "project-add": (
        ["project", "add", "zoo", "--repo", "https://forge.example/zoo.git", "--secret", "s3cr3t"],
        ("zoo", {"repo": "https://forge.example/zoo.git", "branch": "main", "secret": "(hidden)",
                 "owner_email": "", "is_public": "False"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", COMMANDS)
def test_what_the_console_does_is_written_down_without_secrets(action, capsys):
    words, told = COMMANDS[action]
    call_command(*words)
    assert entries() == {action: told}
    assert AuditEntry.objects.get().actor.startswith("console ")
    said = capsys.readouterr().out
    for secret in [word for word in said.split() if "ps_" in word or "/login/link/" in word]:
        assert secret.rstrip("/").rpartition("=")[2].rpartition("/")[2] not in json.dumps(entries())


def test_a_revoked_token_a_schedule_and_a_backfill_are_written_down():
    token_add(name="ci", purpose="read")
    call_command("token", "revoke", "ci")
    project = project_make(slug="zoo")
    call_command("schedule", "add", "zoo", "nightly", "--what", "soak", "--at", "02:00")
    call_command("schedule", "remove", "zoo", "nightly")
    build_make(project, 1)
    call_command("backfill", "zoo", "--first", "1")
    assert entries() == {
        "token-revoke": ("ci", {}),
        "schedule-add": ("zoo nightly", {"what": "soak", "at": "02:00:00", "minutes": "120.0"}),
        "schedule-remove": ("zoo nightly", {}),
        "backfill": ("zoo", {"jobs": "0", "refused": "1"}),
    }


def test_a_restore_is_written_down_in_what_was_restored(monkeypatch, tmp_path):
    monkeypatch.setattr(restore, "backup_restore", lambda **_: {"sha256": {}, "made_at": "today"})
    call_command("restore", str(tmp_path / "kept.tar"), "--force")
    assert entries() == {"backup-restore": ("kept.tar", {"force": "True"})}


@pytest.fixture
def manager(client):
    project_make(slug="zoo")
    secret = token_add(name="boss", purpose="manage")

    def send(method, path, body, content_type="application/json"):
        headers = {"Authorization": f"Bearer {secret}"}
        data = body if isinstance(body, bytes) else json.dumps(body)
        send = getattr(client, method)
        return send(f"/api/v1{path}", data, content_type=content_type, headers=headers)

    return send


def test_a_body_of_the_api_is_told_by_its_plain_fields(manager):
    until = (timezone.now() + timedelta(days=7)).isoformat()
    answer = manager("post", "/projects/zoo/tokens", {"name": "ci", "purpose": "report", "expires_at": until})
    assert answer.status_code == 201
    assert Token.objects.filter(name="ci", project=Project.objects.get()).exists()
    row = AuditEntry.objects.get()
    assert (row.actor, row.action) == ("token boss", "api-v1:token_new")
    assert row.detail == {"name": "ci", "purpose": "report", "expires_at": until}


def test_of_what_is_nested_only_the_names_are_told(manager):
    values = {"secret_url": "https://hooks.slack.com/services/T0/B0/tell-nobody"}
    body = {"kind": "slack", "name": "chat", "fields": values}
    assert manager("post", "/projects/zoo/channels", body).status_code == 201
    assert AuditEntry.objects.get().detail == {"kind": "slack", "name": "chat", "fields": "(secret_url)"}
    assert "tell-nobody" not in json.dumps(entries())


def test_an_addresss_user_and_query_are_left_out():
    told = {"url": "https://bot:hunter2@files.example/m.onnx?X-Signature=tell-nobody", "note": "why? so"}
    row = audit_note(actor="ada", action="x", detail=told)
    assert row.detail == {"url": "https://files.example/m.onnx", "note": "why? so"}


def test_a_refused_call_leaves_no_entry(manager):
    assert manager("post", "/projects/zoo/tokens", {"name": ""}).status_code == 422
    assert manager("post", "/projects/zoo/tokens", b"{").status_code == 400
    assert entries() == {}


def test_of_a_large_body_only_the_size_is_told(manager, monkeypatch):
    monkeypatch.setattr("perfsite.access.audit._BODY_LONGEST", 10)
    body = {"name": "ci", "purpose": "report"}
    assert manager("post", "/projects/zoo/tokens", body).status_code == 201
    assert AuditEntry.objects.get().detail == {"bytes": str(len(json.dumps(body)))}


UNREADABLE = {
    "too large": (b'{"a": "' + b"x" * 200 + b'"}', "application/json", "RequestDataTooBig"),
    "a form too large": (b"a=" + b"x" * 200, "application/x-www-form-urlencoded", "RequestDataTooBig"),
    "too many fields": (b"a=&" * 30, "application/x-www-form-urlencoded", "TooManyFieldsSent"),
    "no form": (b"--", "multipart/form-data", "MultiPartParserError"),
    "too deep": (b"[" * 60_000, "application/json", "RecursionError"),
    "no JSON": (b"{", "application/json", "JSONDecodeError"),
}


@pytest.mark.parametrize("why", UNREADABLE)
def test_a_body_that_nobody_asked_for_keeps_no_change_out_of_the_log(manager, settings, why):
    body, kind, error = UNREADABLE[why]
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000 if why == "too deep" else 100
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    job = job_make(build_make(Project.objects.get(), 1))
    assert manager("post", f"/jobs/{job.pk}/cancel", body, kind).status_code == 200
    job.refresh_from_db()
    assert job.state == "cancelled"
    row = AuditEntry.objects.get()
    assert (row.action, row.detail) == ("api-v1:cancel_job", {"body": f"unreadable: {error}"})
