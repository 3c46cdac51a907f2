"""Measuring builds after the event: by service, API, command and button."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from perfsite.access.services import token_add
from perfsite.core.errors import PerfsiteError
from perfsite.runs.backfill import MOST_BUILDS, Wish, backfill_order, builds_placed
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.services import PRIORITY_BEHIND, run_cancel
from tests.factories import build_make, project_make, worker_make
from tests.runs.repository import Repository, push

HEADS = """
[measure]
commits = "heads"
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
precisions = ["fp32", "fp16"]
[models.bert]
catalogue = "tiny-bert"
paths = ["bert/**"]
suites = ["latency", "soak"]
"""


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def project(db, repository, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    worker_make()
    return project_make(repo=str(repository.path), slug="zoo")


@pytest.fixture
def skipped(project, repository) -> Build:
    """A commit behind the head of its push."""
    shas = [repository.commit("one", perfsite_DOT_toml=HEADS)]
    shas += [repository.commit(f"commit {n}", a=str(n)) for n in (2, 3)]
    push(project, shas[0])
    push(project, *shas[1:])
    builds_plan()
    return Build.objects.get(sha=shas[1])


def jobs_of(build: Build) -> list[tuple[str, str]]:
    return sorted(Job.objects.filter(run__build=build).values_list("model", "precision"))


def test_a_skipped_commit_is_measured_as_its_own_file_says(project, skipped):
    done = backfill_order(project=project, builds=[skipped])
    assert (len(done.jobs), done.refused) == (2, [])
    assert jobs_of(skipped) == [("cnn", "fp16"), ("cnn", "fp32")]
    assert {job.priority for job in done.jobs} == {PRIORITY_BEHIND}
    skipped.refresh_from_db()
    assert (skipped.state, skipped.reason) == ("planned", "")


def test_ordered_twice_it_is_queued_once(project, skipped):
    backfill_order(project=project, builds=[skipped])
    assert backfill_order(project=project, builds=[skipped]).jobs == []
    assert Job.objects.filter(run__build=skipped).count() == 2


def test_what_was_cancelled_is_queued_again(project, skipped):
    backfill_order(project=project, builds=[skipped])
    run_cancel(run=skipped.runs.get())
    assert len(backfill_order(project=project, builds=[skipped]).jobs) == 2
    assert Job.objects.filter(run__build=skipped).count() == 2


def test_a_wish_narrows_it_to_a_model_precision_and_class(project, skipped):
    wish = Wish(device_class="h100", model="cnn", precision="fp16")
    (job,) = backfill_order(project=project, builds=[skipped], wish=wish).jobs
    assert (job.device_class, job.model, job.precision) == ("h100", "cnn", "fp16")


def test_another_class_is_added_to_a_build_that_was_measured(project, skipped):
    head = Build.objects.get(ordinal=3)
    before = Job.objects.filter(run__build=head).count()
    backfill_order(project=project, builds=[head], wish=Wish(device_class="h100"))
    assert Job.objects.filter(run__build=head, device_class="h100").count() == before


def test_a_readme_commit_measures_every_model_but_no_soak(project, repository, skipped):
    push(project, repository.commit("docs", README_DOT_md="hello"))
    builds_plan()
    docs = Build.objects.get(ordinal=4)
    backfill_order(project=project, builds=[docs])
    assert jobs_of(docs) == [("bert", "fp32"), ("cnn", "fp16"), ("cnn", "fp32")]
    assert not Job.objects.filter(kind="soak", run__build=docs).exists()


@pytest.mark.parametrize(
    ("wish", "words"),
    [(Wish(model="vit"), "has no model 'vit'"), (Wish(model="cnn", precision="int8"), "nothing of cnn/int8")],
)
def test_a_wish_that_nothing_fulfils_is_refused(project, skipped, wish, words):
    done = backfill_order(project=project, builds=[skipped], wish=wish)
    ((_, why),) = done.refused
    assert words in why
    assert not Job.objects.filter(run__build=skipped).exists()
    skipped.refresh_from_db()
    assert skipped.state == "skipped"


def test_a_commit_off_its_branch_is_refused_and_the_others_are_not(project, skipped):
    stray = build_make(project, None, sha="d" * 40, state="skipped")
    done = backfill_order(project=project, builds=[stray, skipped])
    assert [build for build, _ in done.refused] == [stray]
    assert len(done.jobs) == 2


def test_a_commit_with_a_broken_file_says_so(project, repository, skipped):
    push(project, repository.commit("broken", perfsite_DOT_toml="[models.cnn]\n"))
    builds_plan()
    done = backfill_order(project=project, builds=[Build.objects.get(ordinal=4)])
    assert "exactly one of entry" in done.refused[0][1]


def test_too_many_at_once_are_refused(project, skipped):
    with pytest.raises(PerfsiteError, match="at most 200"):
        backfill_order(project=project, builds=[skipped] * (MOST_BUILDS + 1))


def test_builds_of_a_range_are_in_order(project, skipped):
    assert [row.ordinal for row in builds_placed(project=project, first=2, last=9)] == [2, 3]


# the API


@pytest.fixture
def ask(client):
    headers = {"authorization": f"Bearer {token_add(name='ci', purpose='deliver')}"}

    def post(slug="zoo", **body):
        address = f"/api/v1/projects/{slug}/backfill"
        return client.post(address, json.dumps(body), content_type="application/json", headers=headers)

    return post


def test_the_api_takes_a_range(project, skipped, ask):
    answer = ask(first=1, last=3)
    assert (answer.status_code, answer.json()) == (200, {"jobs": 2, "refused": []})
    assert len(jobs_of(skipped)) == 2


def test_the_api_tells_what_it_refuses(project, skipped, ask):
    (refused,) = ask(builds=[skipped.pk], model="vit").json()["refused"]
    assert (refused["build_id"], "no model 'vit'" in refused["reason"]) == (skipped.pk, True)


@pytest.mark.parametrize(("body", "words"), [({}, "give the ids"), ({"builds": [10**9]}, "has no build")])
def test_the_api_says_what_is_wrong_with_an_order(project, ask, body, words):
    answer = ask(**body)
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]


def test_the_api_refuses_strangers_and_readers(project, skipped, client):
    address = "/api/v1/projects/zoo/backfill"
    body = json.dumps({"builds": [skipped.pk]})
    reader = {"authorization": f"Bearer {token_add(name='r', purpose='read')}"}
    assert client.post(address, body, content_type="application/json").status_code == 401
    assert client.post(address, body, content_type="application/json", headers=reader).status_code == 403
    assert not Job.objects.filter(run__build=skipped).exists()


# the command


def test_the_command_prints_what_it_did(project, skipped, capsys):
    call_command("backfill", "zoo", "--sha", skipped.sha[:10], "--model", "cnn")
    assert f"queued   {skipped.short} cnn/fp16 on cpu" in capsys.readouterr().out
    call_command("backfill", "zoo", "--first", "2", "--model", "vit")
    assert f"refused  {skipped.short}: " in capsys.readouterr().out


# the button


def test_a_person_measures_a_skipped_commit_by_a_button(project, skipped, client, django_user_model):
    page = reverse("build", args=["zoo", skipped.pk])
    button = reverse("build-measure", args=["zoo", skipped.pk])
    assert client.post(button).status_code == 302
    assert not Job.objects.filter(run__build=skipped).exists()  # not for strangers
    client.force_login(django_user_model.objects.create_user("ada"))
    assert button in client.get(page).content.decode()
    assert "Queued behind the heads: 2 jobs" in client.post(button, follow=True).content.decode()
    assert len(jobs_of(skipped)) == 2
    assert button not in client.get(page, follow=True).content.decode()
