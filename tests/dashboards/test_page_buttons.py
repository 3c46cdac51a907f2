"""No page shows a button that the server would refuse to whom it is shown; the matrix of roles says which."""

from urllib.parse import urlsplit

import pytest
from django.urls import resolve, reverse
from django.utils import timezone

from perfsite.access.models import Membership
from perfsite.access.roles import Role
from perfsite.permissions import RULES
from perfsite.pulls.models import PullHead, PullRequest, TrustedAuthor
from perfsite.runs.schedules import Timing, schedule_add
from tests.dashboards.markup import Page

ROLES = ("viewer", "triager", "maintainer", "administrator")


@pytest.fixture
def addresses(world, failed_job, running_job) -> list[str]:
    """Pages with every kind of button, those that a person finds by links from them besides."""
    timing = Timing(name="nightly", what="full", days=[0], at=timezone.now().time(), time_zone="UTC")
    schedule_add(project=world.project, timing=timing, now=timezone.now(), actor="ada")
    pull = PullRequest.objects.create(
        project=world.project, forge="github", number=7, author="eve", author_id="9"
    )
    PullHead.objects.create(pull=pull, sha="a" * 40, state="waiting")
    TrustedAuthor.objects.create(
        project=world.project, forge="github", author="bob", author_id="8", approved_by="ada"
    )
    project = "/projects/zoo/"
    return [
        "/", "/incidents/", "/moved/", "/search/?q=cnn", "/workers/", project,
        *(f"{project}{name}/" for name in ("trends", "builds", "incidents", "grid", "compare", "hardware")),
        f"{project}schedules/", f"{project}pulls/", f"{project}pulls/github/7/",
        f"{project}grading/?score=6&alpha=0.01&max_pairs=20",
        reverse("build", args=["zoo", world.skipped.pk]),
        reverse("incident", args=["zoo", world.incident.pk]),
        reverse("series", args=[world.series.pk]) + f"?build={world.builds[5].pk}",
        reverse("run", args=[failed_job.run_id]), reverse("run", args=[running_job.run_id]),
        reverse("run-live", args=[running_job.run_id]),
    ]  # fmt: skip


def member(client, django_user_model, project, role: str):
    person = django_user_model.objects.create_user(f"{role}-eve")
    Membership.objects.create(user=person, project=None if role == "administrator" else project, role=role)
    client.force_login(person)
    return client


def writes(html: str) -> set[str]:
    """The names of the addresses that the page's forms write to, but those of one's own session."""
    names = {resolve(urlsplit(address).path).url_name for address in Page(html).writes}
    return names - {"logout", "login"}


@pytest.mark.parametrize("role", ROLES)
def test_a_page_offers_what_its_readers_role_allows_and_no_more(
    world, addresses, client, django_user_model, settings, role
):
    settings.DEFAULT_ROLE = ""
    person = member(client, django_user_model, world.project, role)
    offered = {}
    for address in addresses:
        answer = person.get(address)
        assert answer.status_code == 200, (address, answer.content[:300])
        offered[address] = writes(answer.content.decode())
    held = Role[role.upper()]
    too_much = {
        (address, name) for address, names in offered.items() for name in names if RULES[name].write > held
    }
    assert too_much == set()
    every = set().union(*offered.values())
    assert ("incidents-triage" in every) == (held >= Role.TRIAGER)
    expected = {
        Role.VIEWER: set(),
        Role.TRIAGER: {
            "incident-triage",
            "incident-details",
            "incident-mute",
            "incident-recheck",
            "series-act",
        },
    }
    maintaining = {"run-cancel", "job-again", "job-cancel", "schedule-add", "schedule-act", "pull-approve"}
    maintaining |= {"author-distrust", "series-order", "rule-apply", "build-measure", "run-again"}
    assert every >= expected.get(held, maintaining | expected[Role.TRIAGER])


def test_who_may_not_is_told_which_role_it_takes(world, addresses, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    person = member(client, django_user_model, world.project, "viewer")
    incident = person.get(reverse("incident", args=["zoo", world.incident.pk])).content.decode()
    assert "takes the role triager" in incident
    assert "takes the role maintainer" in person.get("/projects/zoo/schedules/").content.decode()


def test_a_tick_stands_only_beside_incidents_of_ones_own_projects(world, client, django_user_model, settings):
    settings.DEFAULT_ROLE = "viewer"
    person = member(client, django_user_model, world.project, "triager")
    assert f'name="incidents" value="{world.incident.pk}"' in person.get("/incidents/").content.decode()
    Membership.objects.all().delete()
    assert 'name="incidents"' not in person.get("/incidents/").content.decode()


def test_the_reader_of_markup_sees_writes():
    page = Page(
        '<form method="post" action="/a/"></form><form action="/b/"></form><form method="POST"></form>'
    )
    assert page.writes == ["/a/"]
