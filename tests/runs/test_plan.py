"""From commits in a real git repository to queued jobs."""

import subprocess

import pytest

from perfsite.results.models import Measurement, Series
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_HEAD, builds_receive
from tests.factories import project_make, worker_make

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


class Repository:
    """A real repository to push from."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "ada@example.org")
        self.git("config", "user.name", "Ada")

    def git(self, *arguments):
        return subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, subject, **files):
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject, "--allow-empty")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def project(db, repository, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    worker_make()
    return project_make(repo=str(repository.path))


def push(project, *shas, branch="main"):
    commits = [Commit(sha=sha) for sha in shas]
    return builds_receive(project=project, branch=branch, commits=commits, head=shas[-1])


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
