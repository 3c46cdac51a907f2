"""From a pull request's delivery to its comparisons, with a real git repository that keeps the head's ref."""

import pytest
from django.db import transaction

from benchmarks.report import Outcome
from perfsite.core.errors import PerfsiteError
from perfsite.pulls import services
from perfsite.pulls.models import PullHead, PullRequest
from perfsite.pulls.plan import heads_plan
from perfsite.pulls.selectors import head_jobs, outcome_of
from perfsite.pulls.services import head_approve, pull_close, pull_receive
from perfsite.pulls.told import PullTold
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job
from perfsite.runs.queue import job_claim, order_make
from perfsite.runs.services import PRIORITY_HEAD
from tests.factories import project_make, worker_make
from tests.regressions.builders import job_report
from tests.runs.repository import Repository

CONFIG = """
[defaults]
runners = ["torch"]
suites = ["build", "latency", "soak"]
[pull_requests]
limit = 0.05
max_pairs = 7
[models.cnn]
entry = "cnn.py:build"
paths = ["cnn.py"]
[models.bert]
catalogue = "tiny-bert"
paths = ["bert/**"]
"""


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def project(db, repository, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    worker_make()
    return project_make(repo=str(repository.path))


def pull_pushed(repository, number=7, **files):
    """A commit on a branch nobody watches, which the forge keeps as the pull request's head."""
    repository.git("checkout", "-q", "-B", f"work-{number}")
    sha = repository.commit("faster", **files)
    repository.git("update-ref", f"refs/pull/{number}/head", sha)
    repository.git("checkout", "-q", "main")
    repository.git("branch", "-q", "-D", f"work-{number}")
    return sha


def told(sha, number=7, **values):
    values = {"base_branch": "main", "author": "eve", "author_id": "41", "from_fork": False, **values}
    return PullTold(number=number, sha=sha, **values)


def received(project, sha, **values):
    with transaction.atomic():  # the delivery's
        return pull_receive(project=project, forge="github", told=told(sha, **values))


def test_head_is_compared_with_the_merge_base_and_not_with_the_branch(project, repository):
    base = repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    sha = pull_pushed(
        repository, cnn_DOT_py="2", perfsite_DOT_toml=CONFIG.replace("cnn.py:build", "evil.py:run")
    )
    repository.commit("the branch goes on", cnn_DOT_py="3")
    head = received(project, sha)
    assert heads_plan() == 1
    head.refresh_from_db()
    assert (head.state, head.base.sha, head.build.sha, head.limit) == ("planned", base, sha, 0.05)
    job = Job.objects.get(model="cnn")
    assert (job.kind, job.priority, job.spec["max_pairs"]) == ("compare", PRIORITY_HEAD, 7)
    # by the rules of the base: the head's own perfsite.toml names another file
    assert job.spec["source"]["ref"] == "cnn.py:build"
    order = order_make(attempt=job_claim(worker=worker_make()))
    assert [source.sha for source in order.builds] == [base, sha]
    assert order.builds[1].ref == "refs/pull/7/head"
    assert [metric for _, metric in order.watch] == ["parameter_count", "latency_p50"]
    assert order.alpha <= 0.01
    # it has no place on a branch, so nothing of it can become a point
    assert head.build.ordinal is None


def test_only_concerned_models_are_compared_and_a_readme_is_skipped(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    head = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    words = received(project, pull_pushed(repository, 8, README_DOT_md="hello"), number=8)
    heads_plan()
    assert [job.model for job in Job.objects.filter(run__build__pull_heads=head)] == ["cnn"]
    words.refresh_from_db()
    assert (words.state, words.build) == ("skipped", None)
    assert "the pull request changes only README.md" in words.reason


def test_newer_head_supersedes_the_older_one_and_its_jobs(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    first = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    heads_plan()
    second_sha = pull_pushed(repository, cnn_DOT_py="3")
    received(project, second_sha)
    first.refresh_from_db()
    assert (first.state, first.reason) == ("superseded", f"superseded by {second_sha[:7]}")


@pytest.mark.django_db(transaction=True)
def test_superseded_jobs_are_cancelled_and_queued_again_when_the_head_comes_back(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    first = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    heads_plan()
    job = Job.objects.get()
    received(project, pull_pushed(repository, cnn_DOT_py="3"))
    job.refresh_from_db()
    assert job.state == "cancelled"
    received(project, first.sha)  # pushed back
    repository.git("update-ref", "refs/pull/7/head", first.sha)
    heads_plan()
    job.refresh_from_db()
    assert (job.state, Job.objects.filter(run__build__sha=first.sha).count()) == ("queued", 1)
    with transaction.atomic():
        assert pull_close(project=project, forge="github", told=told(first.sha))
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not PullRequest.objects.get().is_open


def test_delivery_that_was_overtaken_changes_nothing(project, repository):
    from datetime import UTC, datetime

    late, early = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    received(project, "b" * 40, updated_at=late)
    assert received(project, "a" * 40, updated_at=early) is None
    assert PullHead.objects.get().sha == "b" * 40


def test_fork_waits_until_somebody_approves_this_very_commit(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    head = received(project, pull_pushed(repository, cnn_DOT_py="2"), from_fork=True)
    assert (head.state, heads_plan(), Job.objects.count(), Build.objects.count()) == ("waiting", 0, 0, 0)
    head_approve(head=head, actor="ada")
    heads_plan()
    head.refresh_from_db()
    assert (head.state, head.approved_by, Job.objects.count()) == ("planned", "ada", 1)
    assert head.approved_at is not None
    # an approval is of one commit
    newer = received(project, pull_pushed(repository, cnn_DOT_py="3"), from_fork=True)
    assert newer.state == "waiting"
    with pytest.raises(PerfsiteError, match="superseded"):
        head_approve(head=head, actor="ada")
    # unless the author is trusted, here and elsewhere
    head_approve(head=newer, actor="ada", trust_author=True)
    assert received(project, "c" * 40, number=9, from_fork=True).state == "received"
    assert received(project, "d" * 40, number=10, from_fork=True, author_id="42").state == "waiting"


@pytest.mark.parametrize(
    ("config", "state", "reason"),
    [
        (None, "failed", "no perfsite.toml"),
        ("[models.cnn]\nonx = 1", "failed", "onx"),
        (CONFIG.replace("limit = 0.05", "enabled = false"), "skipped", "enabled = false"),
    ],
)
def test_head_that_cannot_be_compared_says_why(project, repository, config, state, reason):
    files = {} if config is None else {"perfsite_DOT_toml": config}
    repository.commit("one", cnn_DOT_py="1", **files)
    head = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    heads_plan()
    head.refresh_from_db()
    assert head.state == state
    assert reason in head.reason


def test_head_that_is_not_there_yet_is_tried_again(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    head = received(project, "f" * 40)
    assert heads_plan() == 0
    head.refresh_from_db()
    assert (head.state, head.plan_tries) == ("received", 1)
    assert "refs/pull/7/head" in head.reason


@pytest.mark.parametrize("closed", [False, True])
def test_a_head_that_is_planned_while_it_is_superseded_is_superseded_all_the_same(
    project, repository, monkeypatch, closed
):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    first = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    whole = services.state_swap

    def late(row, **values):
        """Planning comes between the look at the head and the step of its state."""
        monkeypatch.setattr(services, "state_swap", whole)
        assert heads_plan() == 1
        return whole(row, **values)

    monkeypatch.setattr(services, "state_swap", late)
    if closed:
        pull_close(project=project, forge="github", told=told(first.sha))
    else:
        received(project, "f" * 40)
    first.refresh_from_db()
    assert first.state == "superseded"


def test_a_mirror_that_breaks_strangely_postpones_its_own_heads_only(project, repository, monkeypatch):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    received(project, pull_pushed(repository, cnn_DOT_py="2"))

    def full(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Mirror, "fetch", full)
    assert heads_plan() == 0
    assert "its log tells why" in PullHead.objects.get().reason


@pytest.mark.django_db(transaction=True)
def test_a_case_of_which_every_pair_was_disturbed_is_said_not_to_be_compared(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    head = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    heads_plan()
    head.refresh_from_db()
    (job,) = head_jobs(heads=[head])[head.pk]
    case = job.spec["cases"][0]
    hot = Outcome(case=case, status="skipped", reason="2 of 2 pairs were disturbed and do not count")
    job_report(job, outcomes=(hot,))
    (job,) = head_jobs(heads=[head])[head.pk]
    (missing,) = outcome_of(head=head, jobs=[job]).missing
    assert missing.endswith("on cpu: 2 of 2 pairs were disturbed and do not count")


@pytest.mark.django_db(transaction=True)
def test_a_head_that_comes_back_with_another_merge_base_shows_the_comparisons_with_that_one(
    project, repository
):
    repository.commit("one", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1")
    repository.git("branch", "release")
    repository.commit("two", perfsite_DOT_toml=CONFIG, cnn_DOT_py="1 # more")
    head = received(project, pull_pushed(repository, cnn_DOT_py="2"))
    heads_plan()
    head.refresh_from_db()
    (first,) = head_jobs(heads=[head])[head.pk]
    Job.objects.filter(pk=first.pk).update(state="failed", failure="the old base broke")
    received(project, "f" * 40)
    PullHead.objects.filter(pk=head.pk).update(state="superseded")
    received(project, head.sha, base_branch="release")
    heads_plan()
    head.refresh_from_db()
    assert Job.objects.filter(run__build=head.build).count() == 2
    (shown,) = head_jobs(heads=[head])[head.pk]
    assert (shown.pk != first.pk, shown.spec["base"]) == (True, head.base_id)
    assert outcome_of(head=head, jobs=[shown]).missing == ()
