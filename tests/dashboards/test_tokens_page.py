"""The page of a project's tokens: a secret is shown once, to maintainers; the page of the API."""

import re

import pytest
from django.contrib.auth import get_user_model

from perfsite.access.models import Token
from perfsite.access.services import token_add, token_find
from perfsite.api import api
from tests.factories import project_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return project_make(slug="zoo")


@pytest.fixture
def keeper(client):
    client.force_login(get_user_model().objects.create_superuser("ada"))
    return client


def test_a_secret_is_shown_once_and_works_for_the_project_alone(keeper, project):
    made = keeper.post("/projects/zoo/tokens/new/", {"name": "ci", "purpose": "report", "days": "30"})
    secret = re.search(r"ps_report_[\w-]{43}", made.content.decode()).group()
    assert "no-store" in made["Cache-Control"]
    token = token_find(secret=secret)
    assert (token.project_id, token.purpose, token.created_by) == (project.pk, "report", "ada")
    again = keeper.get("/projects/zoo/tokens/").content.decode()
    assert "ci" in again
    assert secret not in again
    keeper.post(f"/projects/zoo/tokens/{token.pk}/revoke/")
    assert token_find(secret=secret) is None
    assert "revoked" in keeper.get("/projects/zoo/tokens/").content.decode()


def test_what_makes_no_token_is_told_beside_the_form(keeper, project):
    token_add(name="ci", purpose="read", project_id=project.pk)
    for values, words in (
        ({"name": "ci", "purpose": "read"}, "already"),
        ({"name": "x", "purpose": "worker"}, "valid choice"),
        ({"name": "", "purpose": "read"}, "required"),
    ):
        answer = keeper.post("/projects/zoo/tokens/new/", values)
        assert answer.status_code == 422
        assert words in answer.content.decode()
    assert Token.objects.count() == 1


def test_tokens_of_other_projects_are_out_of_reach(keeper, project):
    token_add(name="other", purpose="read", project_id=project_make().pk)
    assert "other" not in keeper.get("/projects/zoo/tokens/").content.decode().split("<h2")[1]
    assert keeper.post(f"/projects/zoo/tokens/{Token.objects.get().pk}/revoke/").status_code == 404
    assert Token.objects.get().revoked_at is None


def test_strangers_are_sent_to_log_in(client, project):
    assert client.get("/projects/zoo/tokens/").status_code == 302
    assert client.post("/projects/zoo/tokens/new/", {"name": "x", "purpose": "read"}).status_code in (
        302,
        403,
    )
    assert not Token.objects.exists()


def test_the_api_has_a_page_with_every_operation_and_no_script_of_others(client):
    html = client.get("/api/v1/docs").content.decode()
    paths = api.get_openapi_schema()["paths"]
    assert html.count('<details class="operation"') == sum(len(operations) for operations in paths.values())
    assert "&quot;device_class&quot;: &quot;ci-runner&quot;" in html
    assert not re.search(r'(src|href)="https?://', html)
