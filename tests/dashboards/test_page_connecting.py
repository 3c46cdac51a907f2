"""From a repository's address to its webhook, by the site's administrators and on a page."""

import pytest

from perfsite.access.models import AuditEntry, Membership
from perfsite.runs.models import Project
from tests.dashboards.markup import Page

ADDRESS = "/projects/new/"
FORM = {"repo": "https://github.com/me/my-models", "slug": "my-models", "branch": "main"}


@pytest.fixture
def administrator(client, django_user_model, db):
    client.force_login(django_user_model.objects.create_superuser("root"))
    return client


def test_the_empty_site_leads_to_the_form_and_the_form_to_the_secret_and_the_steps(administrator):
    home = administrator.get("/").content.decode()
    assert f'href="{ADDRESS}"' in home
    assert Page(home).problems == []
    assert Page(administrator.get(ADDRESS).content.decode()).problems == []
    answer = administrator.post(ADDRESS, FORM)
    html = answer.content.decode()
    project = Project.objects.get()
    assert (answer.status_code, Page(html).problems) == (200, [])
    assert (project.slug, project.repo, project.branch) == ("my-models", FORM["repo"], "main")
    assert html.count(project.webhook_secret) == 1
    assert "/webhooks/github/my-models/" in html
    assert "no-store" in answer.headers["Cache-Control"]
    assert project.webhook_secret not in administrator.get("/projects/my-models/webhook/").content.decode()
    entry = AuditEntry.objects.get(action="project-new")
    assert (entry.actor, entry.detail["repo"]) == ("root", FORM["repo"])
    assert project.webhook_secret not in str(entry.detail)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"repo": "/home/me/models"}, "manage.py project add"),
        ({"repo": "file:///etc"}, "no address over HTTPS or SSH"),
        ({"repo": "ext::sh -c id"}, "no address over HTTPS or SSH"),
        ({"repo": "-oProxyCommand=id@host:x"}, "no address over HTTPS or SSH"),
        ({"repo": "https://me:secret@github.com/me/models"}, "no address over HTTPS or SSH"),
        ({"repo": "https://ghp_token@github.com/me/models"}, "no address over HTTPS or SSH"),
        ({"slug": "new"}, "choose another slug"),
        ({"slug": "zoo"}, "choose another slug"),
        ({"slug": "a b"}, "letters, numbers, underscores or hyphens"),
        ({"branch": "a..b"}, "names no branch that git allows"),
    ],
)
def test_what_makes_no_sense_is_told_beside_its_field_and_nothing_is_stored(
    world, administrator, wrong, words
):
    before = Project.objects.count()
    answer = administrator.post(ADDRESS, FORM | wrong)
    html = answer.content.decode()
    assert (answer.status_code, Page(html).problems) == (422, [])
    field = html.partition(f'id="id_{next(iter(wrong))}"')[2].partition("</div>")[0]
    assert words in field
    assert Project.objects.count() == before


@pytest.mark.parametrize("repo", ["git@github.com:me/models.git", "ssh://git@host.example:2222/me/models"])
def test_ssh_is_an_address_too(administrator, repo):
    assert administrator.post(ADDRESS, FORM | {"repo": repo}).status_code == 200
    assert Project.objects.get().repo == repo


def test_an_administrator_of_one_project_connects_none(world, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    user = django_user_model.objects.create_user("mia")
    Membership.objects.create(user=user, project=world.project, role="administrator")
    client.force_login(user)
    assert client.post(ADDRESS, FORM).status_code == 403
    assert ADDRESS not in client.get("/").content.decode()
    assert not Project.objects.filter(slug="my-models").exists()
