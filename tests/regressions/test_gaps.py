"""A change behind commits that nobody measured: some of them are, so that the chart shows where it came."""

import pytest

from perfsite.regressions.bisection import bisections_step, gaps
from perfsite.regressions.bisection.gaps import GAP_MOST, gaps_measure
from perfsite.regressions.models import Bisection, Incident, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.services import PRIORITY_BEHIND
from tests.factories import project_make, worker_make
from tests.regressions.builders import QUIET, compare_report, values_report
from tests.regressions.searching import answer
from tests.runs.repository import Repository, push

TOML = """
[measure]
commits = "heads"
[defaults]
runners = ["torch"]
suites = ["latency"]
[models.cnn]
catalogue = "tiny-cnn"
"""


@pytest.fixture
def heads(db, settings, tmp_path):
    """A project whose repository has eight quiet heads; returns how to push more."""
    settings.MEDIA_ROOT, settings.MIRRORS = tmp_path, tmp_path / "mirrors"
    worker_make()
    repository = Repository(tmp_path / "models")
    project = project_make(repo=str(repository.path))

    def pushed(count: int, *, time: float, **files: str) -> list[Build]:
        shas = [repository.commit(f"part {number}", b=f"{time}{number}", **files) for number in range(count)]
        push(project, *shas)
        builds_plan()
        builds = [Build.objects.get(sha=sha) for sha in shas]
        values_report(Job.objects.get(run__build=builds[-1], kind="measure"), {"latency_p50": time})
        return builds

    for time in QUIET:
        pushed(1, time=time, perfsite_DOT_toml=TOML)
    return pushed


def change(heads, count: int, *, ratio: float, toml: str = TOML) -> list[Build]:
    """A push of so many commits whose head's change is confirmed."""
    builds = heads(count, time=ratio, perfsite_DOT_toml=toml)
    reports_screen()
    compare_report(Job.objects.get(kind="compare"), {"latency_p50": ratio})
    reports_screen()
    return builds


def ordered(builds: list[Build]) -> list[int]:
    """The numbers of the commits of a push, its head aside, that have a measure job."""
    jobs = Job.objects.filter(run__build__in=builds[:-1], kind="measure", spec__backfill="search")
    assert all(job.priority == PRIORITY_BEHIND for job in jobs)
    return sorted(builds.index(job.run.build) for job in jobs)


def test_what_a_search_by_pairs_found_and_its_parent_are_measured_once(heads):
    builds = change(heads, 4, ratio=1.2)
    bisections_step()
    assert gaps_measure() == 0  # the search goes first
    answer(1.0)
    answer(1.2)
    assert Bisection.objects.get().bad == builds[2]
    assert gaps_measure() == 1
    assert ordered(builds) == [1, 2]
    assert gaps_measure() == 0
    event = Incident.objects.get().events.get(code="gap_measured")
    assert f"{builds[1].short} and {builds[2].short} are measured" in event.sentence
    # the points join the history and accuse nobody anew
    for build, time in ((builds[1], 1.0), (builds[2], 1.2)):
        values_report(Job.objects.get(run__build=build, kind="measure"), {"latency_p50": time})
    reports_screen()
    assert Verdict.objects.filter(kind="regressed").count() == 1


def test_an_improvement_behind_unmeasured_commits_has_a_few_of_them_measured(heads):
    builds = change(heads, 10, ratio=0.7)
    assert not Incident.objects.exists()
    assert gaps_measure() == 1
    assert ordered(builds) == [2, 4, 6]
    assert len(ordered(builds)) == GAP_MOST
    assert gaps_measure() == 0


def test_a_range_that_a_search_could_not_narrow_has_its_commits_measured(heads):
    builds = change(heads, 3, ratio=1.2)
    bisections_step()
    answer(1.1)  # a part of it: more than one commit
    assert Bisection.objects.get().state == "range"
    assert gaps_measure() == 1
    assert ordered(builds) == [0, 1]


def test_nothing_is_measured_where_the_file_forbids_a_search(heads):
    builds = change(heads, 4, ratio=0.7, toml=f"{TOML}[confirmation]\nbisect = false\n")
    assert Verdict.objects.filter(kind="improved").exists()
    assert gaps_measure() == 0
    assert ordered(builds) == []


def test_a_spent_day_puts_it_off(heads, monkeypatch):
    builds = change(heads, 4, ratio=0.7)
    with monkeypatch.context() as patched:
        patched.setattr(gaps, "day_spent", lambda **_: "the minutes are spent")
        assert gaps_measure() == 0
    assert gaps_measure() == 1
    assert ordered(builds) == [0, 1, 2]


def test_without_a_gap_nothing_is_measured(heads):
    change(heads, 1, ratio=0.7)
    assert gaps_measure() == 0
