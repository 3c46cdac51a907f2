"""Who sees what, and what strangers are told."""

import pytest
from django.urls import reverse

from perfsite.access.models import Membership
from perfsite.regressions.models import Incident
from perfsite.runs.models import Job, Project
from tests.dashboards.markup import Page
from tests.factories import case_make, job_make

KEPT = {"/projects/zoo/settings/", "/outbox/", "/audit/"}
"""What some may not open."""


def addresses(world) -> list[str]:
    """The pages that belong to the project."""
    return [
        "/projects/zoo/",
        "/projects/zoo/trends/",
        "/projects/zoo/builds/",
        reverse("build", args=["zoo", world.skipped.pk]),
        "/projects/zoo/incidents/",
        reverse("incident", args=["zoo", world.incident.pk]),
        reverse("series", args=[world.series.pk]),
        reverse("series-data", args=[world.series.pk]),
        reverse("run", args=[world.jobs[0].run_id]),
    ]


def test_strangers_are_sent_to_log_in_and_back(world, client):
    for address in addresses(world):
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert answer.headers["Location"] == f"/login/?next={address}"


def test_a_private_project_looks_like_one_that_does_not_exist(world, client):
    private, missing = client.get("/projects/zoo/"), client.get("/projects/none/")
    assert private.status_code == missing.status_code == 302


def test_a_public_project_is_for_everybody_but_only_to_read(world, client):
    Project.objects.update(is_public=True)
    for address in addresses(world):
        assert client.get(address).status_code == 200, address
    assert b"Log in" in client.get("/projects/zoo/").content
    answer = client.post(reverse("run-cancel", args=[world.jobs[0].run_id]))
    assert answer.headers["Location"].startswith("/login/")
    assert client.get("/").status_code == 200


def test_search_and_lists_keep_private_projects_to_themselves(world, client):
    accused = world.builds[5]
    assert accused.short.encode() not in client.get("/search/", {"q": accused.subject}).content
    assert accused.short.encode() not in client.get("/incidents/").content
    Project.objects.update(is_public=True)
    assert accused.short.encode() in client.get("/search/", {"q": accused.subject}).content


@pytest.mark.parametrize("address", ["/workers/", "/outbox/", "/outbox/1/"])
def test_machines_and_mails_are_for_people_who_are_logged_in(world, client, address):
    assert client.get(address).headers["Location"].startswith("/login/")


@pytest.mark.parametrize(
    "address", ["/projects/none/", "/series/99999/", "/runs/99999/", "/outbox/99999/", "/artifacts/9999/"]
)
def test_what_is_missing_is_a_page_with_a_sentence(world, person, address):
    answer = person.get(address)
    assert answer.status_code == 404
    assert b"There is no " in answer.content


def test_an_unknown_address_is_a_page_too(db, client):
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert b"There is no page at this address." in answer.content


def test_an_error_is_a_page_with_a_sentence(db, client, settings, monkeypatch):
    def broken(**_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("perfsite.dashboards.views.search.everything_find", broken)
    client.raise_request_exception = False
    answer = client.get("/search/?q=x")
    assert answer.status_code == 500
    assert b"Something broke" in answer.content


def test_writes_need_the_forms_token(world, django_user_model):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("eve"))
    answer = strict.post(reverse("run-again", args=[world.jobs[0].run_id]))
    assert answer.status_code == 403
    assert b"Nothing was changed" in answer.content


def test_login_and_logout(world, client, django_user_model):
    django_user_model.objects.create_user("ada", password="difference-engine")
    wrong = client.post("/login/", {"username": "ada", "password": "no"})
    assert b"do not belong together" in wrong.content
    right = client.post("/login/?next=/workers/", {"username": "ada", "password": "difference-engine"})
    assert right.headers["Location"] == "/workers/"
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/workers/").status_code == 302


def test_cancel_and_run_again(running_job, failed_job, person):
    person.post(reverse("run-cancel", args=[running_job.run_id]))
    running_job.refresh_from_db()
    assert running_job.cancel_requested
    answer = person.post(reverse("run-again", args=[failed_job.run_id]), follow=True)
    assert b"Queued again: 1" in answer.content
    assert Job.objects.get(pk=failed_job.pk).state == "queued"


def test_cancel_and_queue_one_job(world, person):
    job = job_make(world.builds[0], case_make(model="other"))
    person.post(reverse("job-cancel", args=[job.pk]))
    assert Job.objects.get(pk=job.pk).state == "cancelled"
    person.post(reverse("job-again", args=[job.pk]))
    assert Job.objects.get(pk=job.pk).state == "queued"


def test_triage_stores_the_decision(world, person):
    url = reverse("incident-triage", args=["zoo", world.incident.pk])
    person.post(url, {"state": "accepted", "note": "worth the accuracy"})
    stored = Incident.objects.get(pk=world.incident.pk)
    assert (stored.state, stored.note) == ("accepted", "worth the accuracy")
    answer = person.post(url, {"state": "nonsense", "note": ""}, follow=True)
    assert b"Not stored" in answer.content
    assert Incident.objects.get(pk=world.incident.pk).state == "accepted"


def test_reading_pages_refuse_other_methods(world, person):
    assert person.post("/projects/zoo/").status_code == 405
    assert person.get(reverse("run-cancel", args=[world.jobs[0].run_id])).status_code == 405


def test_a_file_is_a_download_and_never_a_page(world, person):
    from django.core.files.base import ContentFile

    from perfsite.results.models import Artifact

    artifact = Artifact(job=world.jobs[0], name="page.html", kind="other", sha256="ab" * 32, size=9)
    artifact.file.save("page.html", ContentFile(b"<b>hi</b>"))
    answer = person.get(reverse("artifact", args=[artifact.pk]))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert b"".join(answer.streaming_content) == b"<b>hi</b>"
    artifact.file.storage.delete(artifact.file.name)
    lost = person.get(reverse("artifact", args=[artifact.pk]))
    assert lost.status_code == 404
    assert b"not stored any more" in lost.content


@pytest.mark.parametrize(
    ("role", "offered"),
    [("viewer", set()), ("maintainer", {"/projects/zoo/settings/"}), ("administrator", KEPT)],
)
def test_navigation_offers_only_what_the_reader_may_open(
    world, client, django_user_model, settings, role, offered
):
    settings.DEFAULT_ROLE = ""
    person = django_user_model.objects.create_user("eve")
    project = None if role == "administrator" else world.project
    Membership.objects.create(user=person, project=project, role=role)
    client.force_login(person)
    links = set(Page(client.get("/projects/zoo/").content.decode()).links)
    assert links & KEPT == offered
    assert all(client.get(address).status_code == 200 for address in links & KEPT)
    assert client.get("/outbox/").status_code == (200 if role == "administrator" else 403)
