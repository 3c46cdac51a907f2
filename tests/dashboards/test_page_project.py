"""The page of a project's own fields: kept by maintainers, judged on the server, written down."""

import pytest
from django.urls import reverse

from perfsite.access.models import AuditEntry, Membership
from perfsite.runs.models import Project
from tests.dashboards.markup import Page

ADDRESS = "/projects/zoo/settings/"
FORM = {"name": "Zoo of models", "branch": "trunk", "owner_email": "lead@example.org", "is_public": "on"}


@pytest.fixture
def maintainer(world, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    user = django_user_model.objects.create_user("mia")
    Membership.objects.create(user=user, project=world.project, role="maintainer")
    client.force_login(user)
    return client


def test_the_fields_are_shown_stored_and_written_down(maintainer):
    html = maintainer.get(ADDRESS).content.decode()
    assert Page(html).problems == []
    assert 'value="Model zoo"' in html
    answer = maintainer.post(ADDRESS, FORM, follow=True)
    assert "Stored." in answer.content.decode()
    project = Project.objects.get(slug="zoo")
    told = (project.name, project.branch, project.owner_email, project.is_public)
    assert told == ("Zoo of models", "trunk", "lead@example.org", True)
    entry = AuditEntry.objects.get(action="project-settings")
    assert (entry.actor, entry.detail["branch"]) == ("mia", "trunk")
    # a box that is not ticked is not sent
    maintainer.post(ADDRESS, {name: value for name, value in FORM.items() if name != "is_public"})
    assert not Project.objects.get(slug="zoo").is_public


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "   "}, "This field is required"),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"branch": "a..b"}, "names no branch that git allows"),
        ({"branch": "-x"}, "names no branch that git allows"),
        ({"owner_email": "lead"}, "is no address of e-mail"),
    ],
)
def test_what_makes_no_sense_is_told_beside_its_field_and_nothing_is_stored(maintainer, wrong, words):
    before = Project.objects.filter(slug="zoo").values().get()
    answer = maintainer.post(ADDRESS, FORM | wrong)
    html = answer.content.decode()
    assert (answer.status_code, Page(html).problems) == (422, [])
    field = html.partition(f'id="id_{next(iter(wrong))}"')[2].partition("</div>")[0]
    assert words in field
    assert Project.objects.filter(slug="zoo").values().get() == before
    assert not AuditEntry.objects.filter(action="project-settings").exists()


def test_the_secret_and_the_repository_are_not_changed_here(maintainer, world):
    maintainer.post(ADDRESS, FORM | {"repo": "/etc", "webhook_secret": "known", "slug": "other"})
    project = Project.objects.get(pk=world.project.pk)
    kept = (world.project.repo, world.project.webhook_secret, "zoo")
    assert (project.repo, project.webhook_secret, project.slug) == kept
    assert project.webhook_secret not in maintainer.get(ADDRESS).content.decode()


@pytest.mark.parametrize("role", ["viewer", "triager"])
def test_lesser_roles_neither_see_nor_change_it(world, maintainer, role):
    Membership.objects.update(role=role)
    assert maintainer.get(ADDRESS).status_code == 403
    assert maintainer.post(ADDRESS, FORM).status_code == 403
    assert Project.objects.get(slug="zoo").name == "Model zoo"
    assert ADDRESS not in maintainer.get(reverse("schedules", args=["zoo"])).content.decode()
