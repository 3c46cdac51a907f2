"""A confirmed slowdown behind commits that nobody measured: the search among them, step by step."""

import pytest

from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.bisection import order as bisection_order
from perfsite.regressions.bisection.accusing import accusation_of
from perfsite.regressions.bisection.due import build_is_settled, regression_due
from perfsite.regressions.bisection.state import searched
from perfsite.regressions.models import Bisection, BisectionStep, Incident, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Build, Job
from perfsite.runs.queue import order_make
from tests.factories import job_make
from tests.regressions.builders import (
    QUIET,
    build_make,
    compare_job,
    compare_report,
    history_make,
    values_report,
)
from tests.regressions.searching import answer, asked, confirm, push_make


@pytest.fixture
def pushed(project, settings, tmp_path) -> list[Build]:
    """Eight quiet builds, then a push of four commits; its head's slowdown is confirmed."""
    settings.MIRRORS = tmp_path / "mirrors"
    history_make(project, QUIET)
    builds = push_make(project, first=9)
    confirm()
    return builds


def test_the_middle_commit_is_compared_with_the_good_build(pushed):
    assert bisections_step() > 0
    step = asked()
    assert step.build == pushed[1]  # the second of three: the middle
    good = Build.objects.get(ordinal=8)
    measured = Job.objects.get(kind="measure", run__build=pushed[-1])
    assert step.job.spec["base"] == good.pk
    assert step.job.spec["source"] == measured.spec["source"]
    assert step.job.run.build == pushed[1]
    assert bisections_step() == 0  # it waits for the worker
    assert [row.build.ordinal for row in Bisection.objects.get().steps.order_by("id")] == [9, 10, 11]


@pytest.mark.parametrize(("pattern", "told"), [("cnn/torch/*/*", 0.05), ("bert/**", 0.01)])
def test_the_search_goes_on_by_the_rule_of_the_case(project, settings, tmp_path, pattern, told):
    settings.MIRRORS = tmp_path / "mirrors"
    table = {"latency_p50": 0.01, f"{pattern}:latency_p50": 0.05}
    project.rule_changes.create(parameters={"relevant": table})
    history_make(project, QUIET)
    push_make(project, first=9)
    confirm()
    confirmed = Verdict.objects.get(stage="confirmation")
    assert confirmed.parameters["relevant"] == table
    assert order_make(attempt=confirmed.job.attempts.get()).relevant == {"latency_p50": told}
    bisections_step()
    assert asked().job.spec["relevant"] == table
    of = searched(bisection=Bisection.objects.get())
    assert of.metric.relevant == told


def test_the_culprit_is_named_with_its_author_and_its_parent(pushed):
    bisections_step()
    answer(1.0)
    assert asked().build == pushed[2]
    answer(1.2)
    incident = Incident.objects.get()
    search = Bisection.objects.get()
    assert (search.state, incident.culprit) == ("found", pushed[2])
    assert (search.good, search.bad) == (pushed[1], pushed[2])
    assert f"the bisection found {pushed[2].short} by Dan" in search.reason
    assert f"{pushed[1].short} before it does not" in search.reason
    codes = list(incident.events.values_list("code", flat=True))
    assert codes[-1] == "culprit_found"
    assert incident.events.last().sentence == search.reason


def test_the_first_commit_after_the_good_build_may_be_guilty(pushed):
    bisections_step()
    answer(1.2)
    assert asked().build == pushed[0]
    answer(1.2)
    assert Incident.objects.get().culprit == pushed[0]
    assert Bisection.objects.get().good.ordinal == 8


def test_the_head_itself_is_named_when_its_parent_is_good(pushed):
    bisections_step()
    answer(1.0)
    answer(1.0)
    assert Incident.objects.get().culprit == pushed[3]


def test_a_partial_change_means_two_guilty_commits_and_no_name(pushed):
    bisections_step()
    answer(1.1)
    search = Bisection.objects.get()
    assert search.state == "range"
    assert "more than one commit" in search.reason
    assert Incident.objects.get().culprit is None
    assert accusation_of(incident=Incident.objects.get()).suspects == 4


def test_a_commit_that_cannot_be_built_is_passed_over_and_stays_in_the_range(pushed):
    bisections_step()
    Job.objects.filter(pk=asked().job_id).update(state="failed", failure="no module named odd")
    bisections_step()
    assert asked().build == pushed[0]  # the older neighbour
    answer(1.0)
    assert asked().build == pushed[2]
    answer(1.2)
    search = Bisection.objects.get()
    assert (search.state, search.good, search.bad) == ("range", pushed[0], pushed[2])
    assert pushed[1].short in search.reason
    assert "could not be measured" in search.reason
    assert Incident.objects.get().culprit is None


def test_a_commit_that_is_known_not_to_build_is_not_tried_again(pushed):
    job_make(pushed[1], state="failed", failure_kind="export", failure="aten::odd is unknown")
    bisections_step()
    assert asked().build == pushed[0]
    assert BisectionStep.objects.get(build=pushed[1]).sentence == "aten::odd is unknown"


def test_a_commit_that_the_site_was_never_told_of_is_not_jumped_over(pushed):
    pushed[1].delete()
    bisections_step()
    answer(1.0)  # commit 9
    answer(1.2)  # commit 11
    search = Bisection.objects.get()
    assert search.state == "range"
    assert "commit 10 of the branch could not be measured" in search.reason
    assert Incident.objects.get().culprit is None


def test_no_search_where_no_commit_lies_between(project):
    history_make(project, [*QUIET, 1.2])
    confirm()
    assert bisections_step() == 0
    assert not Bisection.objects.exists()
    assert build_is_settled(build=Build.objects.get(ordinal=9))


def rules_set(build: Build, **rules: object) -> None:
    job = Job.objects.get(kind="measure", run__build=build)
    Job.objects.filter(pk=job.pk).update(spec={**job.spec, "confirmation": rules})


@pytest.mark.parametrize(
    ("rules", "words"),
    [({"bisect": False}, "bisect = false"), ({"minutes_per_day": 0}, "0 minutes of device time")],
)
def test_disabled_or_without_budget_it_stops_with_the_reason(pushed, rules, words):
    rules_set(pushed[-1], **rules)
    bisections_step()
    search = Bisection.objects.get()
    assert search.state == "stopped"
    assert words in search.reason
    assert "one of the 4 commits" in search.reason
    assert Job.objects.filter(kind="compare").count() == 1


def test_a_spent_day_stops_it_after_the_step_that_spent_it(pushed, monkeypatch):
    rules_set(pushed[-1], minutes_per_day=10)
    bisections_step()
    monkeypatch.setattr(bisection_order, "minutes_spent", lambda **_: 11.2)
    answer(1.0)
    search = Bisection.objects.get()
    assert (search.state, search.good) == ("stopped", pushed[1])
    assert "the 10 minutes of device time" in search.reason
    assert "are spent (11 today)" in search.reason
    assert "one of the 2 commits after" in search.reason


def test_a_closed_incident_ends_the_search_and_cancels_what_waits(pushed):
    bisections_step()
    Incident.objects.update(state="invalid")
    bisections_step()
    assert Bisection.objects.get().state == "stopped"
    assert Job.objects.order_by("id").last().state == "cancelled"


def test_a_force_push_ends_the_search(pushed):
    bisections_step()
    Build.objects.filter(pk=pushed[1].pk).update(ordinal=None)
    bisections_step()
    search = Bisection.objects.get()
    assert (search.state, "force-push" in search.reason) == ("stopped", True)


def test_the_search_is_opened_once_and_asks_once(pushed):
    bisections_step()
    bisections_step()
    assert (Bisection.objects.count(), Job.objects.filter(kind="compare").count()) == (1, 2)


def test_a_deleted_job_is_ordered_again(pushed):
    bisections_step()
    asked().job.delete()
    bisections_step()
    assert asked().build == pushed[1]


def test_a_time_that_pairs_could_hardly_bound_leaves_the_search_to_a_clearer_one(project, settings, tmp_path):
    settings.MIRRORS = tmp_path / "mirrors"
    for ordinal, factor in enumerate(QUIET, start=1):
        values_report(job_make(build_make(project, ordinal)), {"latency_p50": factor, "cpu_time_p50": factor})
    push_make(project, first=9, values={"latency_p50": 3.0, "cpu_time_p50": 1.2})
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 3.0}, besides={"cpu_time_p50": 1.2})
    reports_screen()
    incident = Incident.objects.get()
    assert regression_due(incident=incident).series.metric == "latency_p50"
    Verdict.objects.filter(series__metric="latency_p50").update(relative_low=0.2, relative_high=20.0)
    assert regression_due(incident=incident).series.metric == "cpu_time_p50"
