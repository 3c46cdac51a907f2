"""The page of members: administrators give, change and take roles; maintainers read; never the last one."""

import pytest
from django.urls import reverse

from perfsite.access.models import AuditEntry, Membership
from tests.dashboards.markup import Page

ADDRESS = "/projects/zoo/members/"
STORE = "/projects/zoo/members/store/"


@pytest.fixture
def people(world, django_user_model, settings):
    """`mia` administers the project and `bob` has an account; nobody else is there."""
    settings.DEFAULT_ROLE = ""
    mia, bob = (django_user_model.objects.create_user(name) for name in ("mia", "bob"))
    Membership.objects.create(user=mia, project=world.project, role="administrator")
    return mia, bob


@pytest.fixture
def keeper(people, client):
    client.force_login(people[0])
    return client


def remove_of(name: str) -> str:
    return reverse("member-remove", args=["zoo", Membership.objects.get(user__username=name).pk])


def roles() -> dict[str, str]:
    return dict(Membership.objects.values_list("user__username", "role"))


def test_a_role_is_given_changed_and_taken(keeper):
    assert Page(keeper.get(ADDRESS).content.decode()).problems == []
    html = keeper.post(STORE, {"username": "bob", "role": "triager"}, follow=True).content.decode()
    assert "bob is triager in Model zoo" in html
    keeper.post(STORE, {"username": "bob", "role": "maintainer"})
    assert roles() == {"mia": "administrator", "bob": "maintainer"}
    question = keeper.get(remove_of("bob")).content.decode()
    assert Page(question).problems == []
    assert "Remove bob from the members?" in question
    assert "bob" in roles()
    assert "Removed: bob" in keeper.post(remove_of("bob"), follow=True).content.decode()
    assert roles() == {"mia": "administrator"}
    given = AuditEntry.objects.filter(action="member-store").order_by("pk")
    assert [(row.actor, row.detail["role"]) for row in given] == [("mia", "triager"), ("mia", "maintainer")]
    assert AuditEntry.objects.get(action="member-remove").detail["thing"] == "bob from the members"


def test_somebody_without_an_account_is_told_beside_the_field(keeper, django_user_model):
    answer = keeper.post(STORE, {"username": "nobody", "role": "viewer"})
    html = answer.content.decode()
    assert (answer.status_code, Page(html).problems) == (422, [])
    assert "nobody here logs in as" in html.partition('id="id_username"')[2].partition("</div>")[0]
    assert "format=csv" not in html
    assert keeper.post(STORE, {"username": "bob", "role": "king"}).status_code == 422
    assert not django_user_model.objects.filter(username="nobody").exists()
    assert roles() == {"mia": "administrator"}


def test_the_last_administrator_stays(keeper, people, django_user_model):
    answer = keeper.post(STORE, {"username": "mia", "role": "viewer"})
    assert "nobody would be left" in answer.content.decode()
    answer = keeper.post(remove_of("mia"))
    assert (answer.status_code, "nobody would be left" in answer.content.decode()) == (409, True)
    assert roles() == {"mia": "administrator"}
    # who may not log in keeps nothing
    django_user_model.objects.create_superuser("root", is_active=False)
    assert keeper.post(remove_of("mia")).status_code == 409
    keeper.post(STORE, {"username": "bob", "role": "administrator"})
    answer = keeper.post(remove_of("mia"))
    assert (answer.status_code, answer.url, roles()) == (302, "/", {"bob": "administrator"})


def test_a_maintainer_reads_and_changes_nothing(people, client, world):
    Membership.objects.create(user=people[1], project=world.project, role="maintainer")
    client.force_login(people[1])
    html = client.get(ADDRESS).content.decode()
    assert "takes the role administrator" in html
    assert not any("/members/" in address for address in Page(html).writes)
    assert "/remove/" not in html
    assert client.post(STORE, {"username": "bob", "role": "administrator"}).status_code == 403
    assert client.get(remove_of("mia")).status_code == 403
    assert client.post(remove_of("mia")).status_code == 403
    assert roles() == {"mia": "administrator", "bob": "maintainer"}


def test_a_role_in_every_project_is_shown_and_not_taken_here(keeper, people):
    wide = Membership.objects.create(user=people[1], project=None, role="triager")
    html = keeper.get(ADDRESS).content.decode()
    assert "bob" in html.partition('id="everywhere"')[2]
    assert reverse("member-remove", args=["zoo", wide.pk]) not in html
    assert keeper.post(reverse("member-remove", args=["zoo", wide.pk])).status_code == 404
    rows = keeper.get(ADDRESS, {"format": "json"}).json()["members"]
    assert [(row["username"], row["where"]) for row in rows] == [("mia", "project"), ("bob", "every project")]
