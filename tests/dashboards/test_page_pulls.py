"""The pages of pull requests, and the approval of a fork's head."""

import pytest
from django.urls import reverse

from perfsite.pulls.models import PullHead, TrustedAuthor
from perfsite.pulls.services import pull_receive
from perfsite.pulls.told import PullTold
from perfsite.results.models import Report
from perfsite.runs.budget import PULL
from perfsite.runs.models import Job
from tests.dashboards.conftest import CASE, COMPARISON
from tests.dashboards.markup import Page
from tests.factories import build_make, claim, job_make


@pytest.fixture
def head(world) -> PullHead:
    told = PullTold(7, "e" * 40, "main", "eve<b>", "41", from_fork=True, title="Fuse <script>")
    return pull_receive(project=world.project, forge="github", told=told)


def compared(world, head) -> None:
    """What a worker told of the head."""
    build = build_make(world.project, None, branch="refs/pull/7/head", sha=head.sha)
    base = world.builds[0]
    job = job_make(build, CASE, kind="compare")
    job.spec |= {"purpose": PULL, "base": base.pk, "watch": [[0, "latency_p50"]]}
    job.save()
    attempt = claim(world.worker)
    environment = Report.objects.first().environment
    Report.objects.create(
        job=job, attempt=attempt, environment=environment, kind="compare", comparisons=[COMPARISON]
    )
    Job.objects.filter(pk=job.pk).update(state="done")
    PullHead.objects.filter(pk=head.pk).update(state="planned", build=build, base=base)


def test_pages_show_the_table_and_keep_the_policy(world, head, person):
    compared(world, head)
    html = person.get(reverse("pull", args=["zoo", "github", 7])).content.decode()
    assert Page(html).problems == []
    assert "Latency p50" in html
    assert "+19.5 % [17.0, 22.0]" in html
    assert "Fuse &lt;script&gt;" in html
    listed = person.get(reverse("pulls", args=["zoo"])).content.decode()
    assert Page(listed).problems == []
    assert "regressed" in listed
    # its build is on no branch: the list of builds does not show it
    assert "eeeeeee" not in person.get(reverse("builds", args=["zoo"])).content.decode()


def test_fork_is_approved_by_somebody_who_is_logged_in(world, head, client, django_user_model):
    url = reverse("pull-approve", args=["zoo", head.pk])
    assert client.post(url).status_code == 302
    assert PullHead.objects.get(pk=head.pk).state == "waiting"
    client.force_login(django_user_model.objects.create_user("ada"))
    assert client.get(url).status_code == 405
    page = client.get(reverse("pull", args=["zoo", "github", 7])).content.decode()
    assert "Approve eeeeeee to run" in page
    client.post(url, {"trust": "yes"})
    approved = PullHead.objects.get(pk=head.pk)
    assert (approved.state, approved.approved_by) == ("received", "ada")
    author = TrustedAuthor.objects.get()
    assert (author.author_id, author.approved_by) == ("41", "ada")
    again = client.post(url, follow=True).content.decode()
    assert "does not wait for an approval" in again
    client.post(reverse("author-distrust", args=["zoo", author.pk]))
    assert TrustedAuthor.objects.count() == 0
