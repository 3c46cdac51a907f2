"""From commits in a real git repository to queued jobs."""

import os
import subprocess

import pytest

from perfsite.core.errors import PerfsiteError
from perfsite.results.models import Measurement, Series
from perfsite.runs.mirror import Mirror
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_HEAD
from tests.factories import project_make, worker_make
from tests.runs.repository import Repository, push

CONFIG = """
version = 1
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
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


def test_push_of_several_commits_makes_a_build_each_in_order(project, repository):
    shas = [repository.commit("one", perfsite_DOT_toml=CONFIG, a="1")]
    shas += [repository.commit(f"commit {n}", a=str(n)) for n in (2, 3)]
    push(project, *shas)
    assert builds_plan() == 3
    builds = list(Build.objects.order_by("ordinal"))
    assert [build.sha for build in builds] == shas
    assert [build.ordinal for build in builds] == [1, 2, 3]
    assert builds[2].parents == [shas[1]]
    assert (builds[2].subject, builds[2].author_name) == ("commit 3", "Ada")
    priorities = {job.run.build.sha: job.priority for job in Job.objects.filter(model="cnn")}
    assert priorities == {shas[0]: PRIORITY_BEHIND, shas[1]: PRIORITY_BEHIND, shas[2]: PRIORITY_HEAD}


def test_received_twice_is_planned_once(project, repository):
    sha = repository.commit("one", perfsite_DOT_toml=CONFIG)
    push(project, sha)
    builds_plan()
    push(project, sha)
    assert builds_plan() == 0
    assert Job.objects.count() == 2  # one per model


def test_model_paths_decide_which_models_are_measured(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG)
    sha = repository.commit("two", a="2")
    push(project, sha)
    builds_plan()
    assert [job.model for job in Job.objects.all()] == ["cnn"]


def test_readme_commit_is_skipped_with_the_reason(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG)
    sha = repository.commit("docs", README_DOT_md="hello")
    push(project, sha)
    builds_plan()
    build = Build.objects.get(sha=sha)
    assert (build.state, build.ordinal) == ("skipped", 2)
    assert "README.md" in build.reason
    assert not Job.objects.exists()


def test_merged_side_commit_is_off_the_line(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG)
    repository.git("checkout", "-q", "-b", "side")
    side = repository.commit("side work", b="1")
    repository.git("checkout", "-q", "main")
    repository.commit("two", a="2")
    repository.git("merge", "-q", "--no-ff", "-m", "merge side", "side")
    merge = repository.git("rev-parse", "HEAD")
    push(project, side, merge)
    builds_plan()
    assert Build.objects.get(sha=side).state == "skipped"
    assert "first-parent line" in Build.objects.get(sha=side).reason
    assert Build.objects.get(sha=merge).ordinal == 3


def test_force_push_takes_builds_and_their_points_off_the_line(project, repository):
    base = repository.commit("one", perfsite_DOT_toml=CONFIG)
    gone = repository.commit("two", a="2")
    push(project, base, gone)
    builds_plan()
    build = Build.objects.get(sha=gone)
    series = Series.objects.create(key="k", project=project, branch="main", metric="latency_p50")
    job = Job.objects.filter(run__build=build).first()
    Measurement.objects.create(series=series, ordinal=2, value=1.0, build=build, job=job)
    repository.git("reset", "-q", "--hard", base)
    new = repository.commit("two, better", a="3")
    push(project, new)
    builds_plan()
    build.refresh_from_db()
    assert (build.state, build.ordinal) == ("skipped", None)
    assert "force-push" in build.reason
    assert Build.objects.get(sha=new).ordinal == 2
    assert not Measurement.objects.exists()


def test_broken_config_fails_the_build_with_the_key(project, repository):
    sha = repository.commit("one", perfsite_DOT_toml=CONFIG.replace('"torch"', '"tortch"'))
    push(project, sha)
    builds_plan()
    build = Build.objects.get(sha=sha)
    assert build.state == "failed"
    assert "tortch" in build.reason
    assert "line" in build.reason


def test_missing_config_says_what_to_add(project, repository):
    sha = repository.commit("one", a="1")
    push(project, sha)
    builds_plan()
    assert "no perfsite.toml" in Build.objects.get(sha=sha).reason


def test_unreachable_repository_waits_and_says_so(project, repository):
    project.repo = str(repository.path / "nowhere")
    project.save()
    push(project, "a" * 40)
    assert builds_plan() == 0
    build = Build.objects.get()
    assert (build.state, build.plan_tries) == ("received", 1)
    assert "failed" in build.reason
    assert builds_plan() == 0
    build.refresh_from_db()
    assert build.plan_tries == 1  # not due yet


def test_commit_that_is_nowhere_waits(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG)
    push(project, "b" * 40)
    builds_plan()
    assert "was it pushed there?" in Build.objects.get().reason


@pytest.mark.django_db
def test_without_a_worker_builds_wait(repository, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    project = project_make(repo=str(repository.path))
    push(project, repository.commit("one", perfsite_DOT_toml=CONFIG))
    builds_plan()
    build = Build.objects.get()
    assert build.state == "received"
    assert "no worker has joined" in build.reason


def test_option_like_repository_is_no_option(project):
    project.repo = "--upload-pack=touch /tmp/owned"
    project.save()
    push(project, "a" * 40)
    builds_plan()
    assert Build.objects.get().state == "received"
    assert "failed" in Build.objects.get().reason


def test_odd_bytes_in_a_commit_hold_nothing_up(project, repository):
    repository.commit("one", perfsite_DOT_toml=CONFIG)
    odd = repository.commit("sub\x1fject \x1e here", a="2")
    repository.git("config", "user.name", "A\x1fda")
    (repository.path / "a").write_text("3")
    repository.git("add", "-A")
    subprocess.run(
        ["git", "commit", "-q", "-m", "the far future"],
        cwd=repository.path, check=True, env={**os.environ, "GIT_COMMITTER_DATE": "@253402300800 +0000"},
    )  # fmt: skip
    future = repository.git("rev-parse", "HEAD")
    push(project, odd, future)
    assert builds_plan() == 2
    assert Build.objects.get(sha=odd).subject == "sub\x1fject \x1e here"
    assert Build.objects.get(sha=future).state == "planned"


def test_one_project_that_breaks_keeps_no_other_from_being_planned(
    project, repository, tmp_path, monkeypatch
):
    broken = project_make(slug="a-first", repo=project.repo + "/.git")
    sha = repository.commit("one", perfsite_DOT_toml=CONFIG)
    push(broken, sha)
    push(project, sha)
    whole = Mirror.line

    def line(self, branch):
        if self.repo == broken.repo:
            raise ValueError("something nobody thought of")
        return whole(self, branch)

    monkeypatch.setattr(Mirror, "line", line)
    builds_plan()
    assert Build.objects.get(project=project).state == "planned"
    waits = Build.objects.get(project=broken)
    assert (waits.state, waits.plan_tries) == ("received", 1)
    assert "its log tells why" in waits.reason


def test_huge_config_is_refused_unread(project, repository):
    sha = repository.commit("one", perfsite_DOT_toml="#" * 300_000)
    push(project, sha)
    builds_plan()
    assert Build.objects.get().state == "failed"
    assert "KiB" in Build.objects.get().reason or "bytes" in Build.objects.get().reason


def test_left_over_lock_of_a_killed_git_is_removed(project, repository):
    push(project, repository.commit("one", perfsite_DOT_toml=CONFIG))
    builds_plan()
    (mirror,) = (repository.path.parent / "mirrors").glob("*.git")
    (mirror / "packed-refs.lock").touch()
    (mirror / "shallow.lock").touch()
    sha = repository.commit("two", a="2")
    push(project, sha)
    builds_plan()
    assert Build.objects.get(sha=sha).state == "planned"


def test_mirror_that_somebody_else_works_on_is_left_alone(project, repository, settings):
    push(project, repository.commit("one", perfsite_DOT_toml=CONFIG))
    with Mirror(project.repo, settings.MIRRORS).claimed() as mine:
        assert mine
        assert builds_plan() == 0
    assert builds_plan() == 1


def test_commit_that_comes_back_is_measured_again(project, repository):
    base = repository.commit("one", perfsite_DOT_toml=CONFIG)
    first = repository.commit("two", a="2")
    push(project, base, first)
    builds_plan()
    repository.git("reset", "-q", "--hard", base)
    other = repository.commit("another two", a="3")
    push(project, other)
    builds_plan()
    assert Build.objects.get(sha=first).state == "skipped"
    assert {job.state for job in Job.objects.filter(run__build__sha=first)} == {"cancelled"}
    repository.git("reset", "-q", "--hard", first)
    push(project, first)
    builds_plan()
    back = Build.objects.get(sha=first)
    assert (back.state, back.ordinal) == ("planned", 2)
    assert Build.objects.get(sha=other).ordinal is None
    assert Job.objects.filter(run__build=back, state="queued").exists()


def test_deleted_branch_keeps_what_was_measured(project, repository):
    sha = repository.commit("one", perfsite_DOT_toml=CONFIG)
    push(project, sha)
    builds_plan()
    repository.git("checkout", "-q", "-b", "elsewhere")
    repository.git("branch", "-q", "-D", "main")
    push(project, "c" * 40)
    builds_plan()
    assert Build.objects.get(sha=sha).ordinal == 1


@pytest.mark.parametrize(
    "repo",
    ["https://ada:secret@forge.example/a/b.git", "https://x:t@forge/a", "HTTPS://ghp_token@forge.example/a"],
)
def test_repository_with_a_secret_in_its_url_is_refused(db, repo):
    with pytest.raises(PerfsiteError, match="credential helper"):
        project_make(repo=repo)


def test_slug_that_no_url_can_hold_is_refused(db):
    with pytest.raises(PerfsiteError, match="cannot stand in a URL"):
        project_make(slug="my repo")


def test_relative_path_is_kept_as_an_absolute_one(db, repository, monkeypatch):
    monkeypatch.chdir(repository.path.parent)
    assert project_make(repo="models").repo == str(repository.path)
