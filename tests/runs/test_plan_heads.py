"""Of a push only the head is measured, where `perfsite.toml` says so."""

import pytest

from perfsite.core.errors import ConfigError
from perfsite.runs.config import config_parse
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.rules import BEHIND
from tests.factories import project_make, worker_make
from tests.runs.repository import Repository, push

MODELS = """
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
[models.bert]
catalogue = "tiny-bert"
paths = ["bert/**"]
"""
HEADS = f'[measure]\ncommits = "heads"\n{MODELS}'


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def project(db, repository, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    worker_make()
    return project_make(repo=str(repository.path))


@pytest.fixture
def started(project, repository) -> str:
    """The first push, which brings `perfsite.toml`."""
    sha = repository.commit("one", perfsite_DOT_toml=HEADS)
    push(project, sha)
    builds_plan()
    return sha


def states() -> list[tuple[int, str]]:
    return list(Build.objects.order_by("ordinal").values_list("ordinal", "state"))


def models_of(sha: str) -> set[str]:
    return set(Job.objects.filter(run__build__sha=sha).values_list("model", flat=True))


def test_commits_behind_the_head_keep_their_place_and_are_not_measured(project, repository, started):
    shas = [repository.commit(f"commit {n}", a=str(n)) for n in range(3)]
    push(project, *shas)
    builds_plan()
    assert states() == [(1, "planned"), (2, "skipped"), (3, "skipped"), (4, "planned")]
    behind = Build.objects.get(sha=shas[0])
    assert behind.reason == BEHIND
    assert not models_of(shas[0])
    assert models_of(shas[2]) == {"cnn"}


def test_a_readme_head_is_measured_for_the_code_of_its_push(project, repository, started):
    code = repository.commit("code", bert__a="1")
    docs = repository.commit("docs", README_DOT_md="hello")
    push(project, code, docs)
    builds_plan()
    assert models_of(docs) == {"cnn", "bert"}
    assert Build.objects.get(sha=code).reason == BEHIND


def test_a_push_of_documentation_alone_is_skipped_for_that_reason(project, repository, started):
    shas = [repository.commit(f"docs {n}", README_DOT_md=str(n)) for n in range(2)]
    push(project, *shas)
    builds_plan()
    reasons = Build.objects.filter(sha__in=shas).values_list("reason", flat=True)
    assert all("README.md" in reason for reason in reasons)
    assert not Job.objects.filter(run__build__sha__in=shas).exists()


def test_a_head_answers_for_nothing_that_an_earlier_head_answered_for(project, repository, started):
    push(project, repository.commit("bert", bert__a="1"))
    builds_plan()
    later = repository.commit("cnn", a="2")
    push(project, later)
    builds_plan()
    assert models_of(later) == {"cnn"}


def test_the_first_push_of_several_commits_is_measured_at_its_head(project, repository):
    shas = [repository.commit("one", perfsite_DOT_toml=HEADS), repository.commit("two", README_DOT_md="2")]
    push(project, *shas)
    builds_plan()
    assert states() == [(1, "skipped"), (2, "planned")]


def test_a_branch_set_back_to_a_commit_behind_a_head_measures_it(project, repository, started):
    shas = [repository.commit(f"commit {n}", a=str(n)) for n in range(2)]
    push(project, *shas)
    builds_plan()
    repository.git("reset", "-q", "--hard", shas[0])
    push(project, shas[0])
    builds_plan()
    assert Build.objects.get(sha=shas[0]).state == "planned"
    assert models_of(shas[0]) == {"cnn"}


def test_by_default_every_commit_is_measured(project, repository):
    shas = [repository.commit("one", perfsite_DOT_toml=MODELS), repository.commit("two", a="2")]
    push(project, *shas)
    builds_plan()
    assert states() == [(1, "planned"), (2, "planned")]


def test_the_rules_of_confirmations_travel_with_each_job(project, repository):
    text = f"[confirmation]\nminutes_per_day = 30\nbisect = false\n{MODELS}"
    push(project, repository.commit("one", perfsite_DOT_toml=text))
    builds_plan()
    told = Job.objects.filter(model="cnn").get().spec["confirmation"]
    assert told == {
        "minutes_per_day": 30,
        "max_pairs": 20,
        "bisect": False,
        "false_alarms_per_day": 0.2,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[measure]\ncommits = "head"\n', "line 2, measure.commits: should be 'all' or 'heads'"),
        ("[measure]\ncommit = 'all'\n", "did you mean 'commits'"),
        ("[confirmation]\nmax_pairs = 1\n", "line 2, confirmation.max_pairs: should be greater"),
        ("[confirmation]\nminutes_per_day = -1\n", "confirmation.minutes_per_day"),
        ("[confirmation]\nbisect = 1\n", "confirmation.bisect: should be a valid boolean, not 1"),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(text, words):
    with pytest.raises(ConfigError) as told:
        config_parse((text + MODELS).encode())
    assert words in str(told.value)
