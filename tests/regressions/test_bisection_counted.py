"""A counted change behind commits that nobody measured: the site has them measured, and late points count."""

import pytest

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.bisection.due import build_is_settled
from perfsite.regressions.bisection.state import BACKFILL_MOST
from perfsite.regressions.models import Bisection, Incident, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Measurement
from perfsite.runs.backfill import backfill_order
from perfsite.runs.models import Build, Job
from perfsite.runs.plan import builds_plan
from perfsite.runs.services import PRIORITY_BEHIND
from tests.factories import project_make, worker_make
from tests.regressions.builders import values_report
from tests.runs.repository import Repository, push

SMALL, LARGE = 1000.0, 1500.0
TOML = """
[measure]
commits = "heads"
[defaults]
runners = ["torch"]
suites = ["build"]
[models.cnn]
catalogue = "tiny-cnn"
"""


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "models")


@pytest.fixture
def project(db, repository, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.MIRRORS = tmp_path / "mirrors"
    worker_make()
    return project_make(repo=str(repository.path))


def measured(build: Build, count: float) -> None:
    """The build's measure job comes home."""
    values_report(Job.objects.get(run__build=build, kind="measure"), {"parameter_count": count})


def pushed(project, repository, *, behind: int, docs: int | None = None) -> list[Build]:
    """Four heads of a small model, then a push whose head has a larger one; the screen has told so.

    The commit number `docs` of the push changes a README only.
    """
    for number in range(4):
        push(project, repository.commit(f"head {number}", perfsite_DOT_toml=TOML, a=str(number)))
        builds_plan()
        measured(Build.objects.get(ordinal=number + 1), SMALL)
    files = [{"README_DOT_md": str(n)} if n == docs else {"b": str(n)} for n in range(behind + 1)]
    shas = [repository.commit(f"part {n}", **changed) for n, changed in enumerate(files)]
    push(project, *shas)
    builds_plan()
    builds = [Build.objects.get(sha=sha) for sha in shas]
    measured(builds[-1], LARGE)
    reports_screen()
    return builds


def test_the_commits_between_are_measured_and_the_accusation_moves(project, repository):
    builds = pushed(project, repository, behind=3)
    incident = Incident.objects.get()
    assert incident.build == builds[-1]
    bisections_step()
    jobs = Job.objects.filter(run__build__in=builds[:-1])
    assert sorted(job.run.build.ordinal for job in jobs) == [5, 6, 7]
    assert {(job.kind, job.priority) for job in jobs} == {("measure", PRIORITY_BEHIND)}
    assert not build_is_settled(build=incident.build)
    for build, count in zip(builds, (SMALL, LARGE, LARGE), strict=False):
        measured(build, count)
    reports_screen()
    bisections_step()
    incident.refresh_from_db()
    search = Bisection.objects.get()
    assert (search.state, incident.culprit) == ("found", builds[1])
    assert build_is_settled(build=incident.build)
    # late points join the history and are not judged again
    assert Measurement.objects.filter(series=search.regression.series).count() == 8
    assert Verdict.objects.filter(kind="regressed").count() == 1


def test_a_second_guilty_commit_is_told_as_such(project, repository):
    builds = pushed(project, repository, behind=1)
    bisections_step()
    measured(builds[0], 1250.0)
    bisections_step()
    search = Bisection.objects.get()
    assert search.state == "range"
    assert "more than one commit" in search.reason


def test_a_commit_that_fails_leaves_a_range_until_it_was_measured_after_all(project, repository):
    builds = pushed(project, repository, behind=2)
    bisections_step()
    measured(builds[1], LARGE)
    first = Job.objects.filter(run__build=builds[0])
    first.update(state="failed", failure="the worker's disk was full", failure_kind="environment")
    bisections_step()
    search = Bisection.objects.get()
    assert (search.state, search.good.ordinal, search.bad) == ("range", 4, builds[1])
    assert Incident.objects.get().culprit is None
    assert len(backfill_order(project=project, builds=[builds[0]]).jobs) == 1  # a person asks again
    measured(builds[0], LARGE)
    bisections_step()
    search.refresh_from_db()
    assert (search.state, Incident.objects.get().culprit) == ("found", builds[0])
    assert list(Incident.objects.get().events.values_list("code", flat=True))[-1] == "culprit_found"


def test_a_commit_whose_files_cannot_matter_is_left_out(project, repository):
    builds = pushed(project, repository, behind=2, docs=1)
    bisections_step()
    assert not Job.objects.filter(run__build=builds[1]).exists()
    step = Bisection.objects.get().steps.get(build=builds[1])
    assert (step.verdict, "perfsite.toml" in step.sentence) == ("excluded", True)
    measured(builds[0], SMALL)
    bisections_step()
    assert Incident.objects.get().culprit == builds[2]


def test_where_no_other_commit_can_matter_nothing_is_searched(project, repository):
    builds = pushed(project, repository, behind=1, docs=0)
    bisections_step()
    search = Bisection.objects.get()
    assert search.state == "found"
    assert f"It is {builds[1].short} by Ada" in search.reason
    assert not Job.objects.filter(run__build=builds[0]).exists()
    assert build_is_settled(build=builds[1])
    assert Incident.objects.get().culprit is None


def test_of_a_long_range_one_commit_at_a_time_is_measured(project, repository):
    builds = pushed(project, repository, behind=BACKFILL_MOST + 2)
    for _ in range(6):
        bisections_step()
        waiting = Job.objects.filter(run__build__in=builds, state="queued")
        for job in waiting:
            values_report(job, {"parameter_count": LARGE if job.run.build.ordinal >= 9 else SMALL})
        if Bisection.objects.get().state != "running":
            break
    assert Incident.objects.get().culprit.ordinal == 9
    # halving until the rest is few, which is then measured at once
    assert Job.objects.filter(run__build__in=builds[:-1]).count() <= BACKFILL_MOST
