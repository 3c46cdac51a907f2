"""A project's own fields and its members by the API."""

import pytest
from django.contrib.auth import get_user_model

from perfsite.access.models import AuditEntry, Membership
from perfsite.runs.models import Project
from tests.api.calling import Caller
from tests.factories import project_make

pytestmark = pytest.mark.django_db
ADDRESS = "/projects/zoo"
MEMBERS = "/projects/zoo/members"


@pytest.fixture
def project(db):
    return project_make(slug="zoo", name="Model zoo", branch="main")


@pytest.fixture
def manager(project):
    return Caller("manage", project_id=project.pk)


@pytest.fixture
def people(project):
    root, ada = (get_user_model().objects.create_user(name) for name in ("root@site", "ada"))
    Membership.objects.create(user=root, project=project, role="administrator")
    return root, ada


def test_what_is_given_changes_and_the_rest_stays(project, manager):
    status, told = manager.patch(ADDRESS, {"name": " Zoo ", "owner_email": "lead@example.org"})
    assert (status, told["name"], told["branch"], told["owner_email"]) == (
        200, "Zoo", "main", "lead@example.org",
    )  # fmt: skip
    assert manager.patch(ADDRESS, {}) == (200, told)
    assert manager.patch(ADDRESS, {"owner_email": "", "is_public": True})[1]["is_public"]
    stored = Project.objects.get()
    assert (stored.name, stored.owner_email, stored.is_public) == ("Zoo", "", True)
    assert "owner_email" not in manager.get(ADDRESS)[1]
    assert AuditEntry.objects.order_by("pk")[0].detail == {"name": "Zoo", "owner_email": "lead@example.org"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"branch": "a..b"}, "names no branch that git allows"),
        ({"branch": ""}, "names no branch that git allows"),
        ({"name": "  "}, "has 1 to 120 characters"),
        ({"owner_email": "lead"}, "is no address of e-mail"),
        ({"repo": "/etc"}, "repo"),
        ({"webhook_secret": "known"}, "webhook_secret"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(project, manager, wrong, words):
    status, told = manager.patch(ADDRESS, {"is_public": True} | wrong)
    assert (status, words in told["error"]["message"]) == (422, True), told
    assert not Project.objects.get().is_public


def test_only_who_may_manage_changes_a_project(project):
    assert Caller("deliver", project_id=project.pk).patch(ADDRESS, {"name": "x"})[0] == 403
    assert Project.objects.get().name == "Model zoo"


def test_members_are_listed_given_a_role_and_removed(project, people):
    site = Caller("manage")
    status, row = site.put(f"{MEMBERS}/ada", {"role": "triager"})
    assert (status, row["username"], row["role"], row["is_everywhere"]) == (200, "ada", "triager", False)
    assert site.put(f"{MEMBERS}/ada", {"role": "maintainer"})[1]["id"] == row["id"]
    listed = site.get(MEMBERS)[1]["items"]
    assert [(one["username"], one["role"]) for one in listed] == [
        ("ada", "maintainer"),
        ("root@site", "administrator"),
    ]
    assert site.delete(f"{MEMBERS}/ada") == (204, None)
    assert site.delete(f"{MEMBERS}/ada")[0] == 404
    assert site.put(f"{MEMBERS}/nobody", {"role": "viewer"})[0] == 404
    assert site.put(f"{MEMBERS}/ada", {"role": "king"})[0] == 422
    details = [
        (row.target.rsplit("/", 1)[1], row.detail["role"]) for row in AuditEntry.objects.order_by("pk")
    ]
    assert details == [("ada", "triager"), ("ada", "maintainer"), ("ada", "none")]


def test_the_last_administrator_stays(project, people):
    site = Caller("manage")
    for status, told in (
        site.put(f"{MEMBERS}/root@site", {"role": "viewer"}),
        site.delete(f"{MEMBERS}/root@site"),
    ):
        assert (status, "nobody would be left" in told["error"]["message"]) == (409, True)
    assert Membership.objects.get().role == "administrator"


def test_a_project_s_own_token_gives_no_role(project, people, manager):
    assert manager.put(f"{MEMBERS}/ada", {"role": "viewer"})[0] == 403
    assert manager.delete(f"{MEMBERS}/root@site")[0] == 403


def test_a_person_needs_to_administer_the_project(project, people, client):
    Membership.objects.create(user=people[1], project=project, role="maintainer")
    body = {"role": "administrator"}
    address = f"/api/v1{MEMBERS}/ada"
    client.force_login(people[1])
    assert client.put(address, body, content_type="application/json").status_code == 403
    client.force_login(people[0])
    assert client.put(address, body, content_type="application/json").status_code == 200


def test_a_token_of_one_project_connects_no_other(project, manager):
    body = {"repo": "https://github.com/me/models", "slug": "models"}
    assert manager.post("/projects", body)[0] == 403
    assert Project.objects.count() == 1


def test_a_repository_is_connected_by_the_sites_own_token(project):
    body = {"repo": "https://github.com/me/models", "slug": "models", "is_public": True}
    site = Caller("manage")
    status, told = site.post("/projects", body)
    made = Project.objects.get(slug="models")
    assert (status, told["webhook_secret"]) == (201, made.webhook_secret)
    assert (made.repo, made.branch, made.is_public) == (body["repo"], "main", True)
    assert made.webhook_secret not in str(AuditEntry.objects.get().detail)
    assert "webhook_secret" not in site.get("/projects/models")[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"repo": "/etc"}, "no address over HTTPS or SSH"),
        ({"slug": "zoo"}, "choose another slug"),
        ({"slug": "new"}, "choose another slug"),
        ({"branch": "a..b"}, "names no branch that git allows"),
        ({"owner_email": "lead"}, "is no address of e-mail"),
    ],
)
def test_a_repository_that_makes_no_sense_is_refused(project, wrong, words):
    body = {"repo": "https://github.com/me/models", "slug": "models"}
    status, told = Caller("manage").post("/projects", body | wrong)
    assert (status, words in told["error"]["message"]) == (422, True), told
    assert Project.objects.count() == 1
