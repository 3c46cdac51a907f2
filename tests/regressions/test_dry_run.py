"""Another rule on the same history: what it would have suspected, found and cost."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from benchmarks.metrics import metric_get
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.grading.doubt import doubts_differ
from perfsite.regressions.grading.dry_run import dry_run
from perfsite.regressions.grading.replay import History, Policy, Record, histories_replay, history_replay
from perfsite.regressions.grading.rules import DEFAULTS
from perfsite.regressions.models import Incident, RuleChange, SeriesState, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Job
from tests.regressions.builders import compare_report, history_make

LATENCY = metric_get("latency_p50")
CASE = "bert/onnxruntime/fp32/b1"
USUAL = Policy.of(DEFAULTS)


def policy_make(**changes) -> Policy:
    return Policy.of({**DEFAULTS, **changes})


def values_make(step: float, *, noise: float = 0.01, seed: int = 5, before: int = 30, after: int = 12):
    generator = np.random.default_rng(seed)
    level = np.concatenate([np.ones(before), np.full(after, 1 + step)])
    return (level * np.exp(generator.normal(0, noise, len(level)))).tolist()


def history(values, records=None, metric=LATENCY) -> History:
    return History(CASE, metric, range(1, len(values) + 1), values, [False] * len(values), records or {})


def test_a_step_without_a_record_is_decided_by_the_whole_history_and_says_so():
    doubts = history_replay(history(values_make(0.1)), USUAL)
    (doubt,) = [one for one in doubts if one.outcome == "confirmed"]
    assert abs(doubt.ordinal - 31) <= 2
    assert doubt.assumed
    assert doubt.is_worse


def test_what_pairs_said_on_record_is_believed_instead():
    records = {31: Record("same")}
    doubts = history_replay(history(values_make(0.1), records), USUAL)
    assert doubts[0].outcome == "refuted"
    assert not doubts[0].assumed


def test_pairs_on_record_are_judged_by_the_rule_that_is_tried():
    a = values_make(0.0, before=8, after=0, seed=1)
    b = (1.1 * np.array(values_make(0.0, before=8, after=0, seed=2))).tolist()
    given = history(values_make(0.1), {31: Record("regressed", tuple(a), tuple(b))})
    usual = history_replay(given, USUAL)[0]
    assert (usual.outcome, usual.assumed) == ("confirmed", False)
    assert 2 <= usual.pairs <= 8
    strict = history_replay(given, policy_make(alpha=1e-4))[0]
    assert strict.pairs > usual.pairs
    few = history_replay(given, policy_make(max_pairs=2, alpha=1e-4))[0]
    assert (few.outcome, few.pairs) == ("undecided", 2)


def test_a_larger_relevant_change_suspects_less_and_a_higher_score_too():
    given = history(values_make(0.06))
    now = history_replay(given, USUAL)
    assert now
    for other in (policy_make(relevant={"latency_p50": 0.2}), policy_make(score=12.0)):
        gained, lost = doubts_differ(now, history_replay(given, other))
        assert gained == []
        assert lost == now


@pytest.mark.parametrize(("pattern", "is_lost"), [("bert/onnxruntime/*/*", True), ("bert/torch/*/*", False)])
def test_the_rule_of_a_case_holds_in_the_replay(pattern, is_lost):
    pairs = tuple(values_make(0.0, before=8, after=0, seed=1)), tuple(values_make(0.1, before=0, after=8))
    tried = policy_make(relevant={f"{pattern}:latency_p50": 0.5})
    for records in ({}, {31: Record("regressed", *pairs)}):
        before, after = histories_replay(history(values_make(0.1), records), (USUAL, tried))
        assert before
        assert after == ([] if is_lost else before)


def test_one_change_placed_a_build_apart_is_no_difference():
    given = history_replay(history(values_make(0.1)), USUAL)
    shifted = history_replay(history([1.0, *values_make(0.1)]), USUAL)
    assert doubts_differ(given, shifted) == ([], [])


def test_a_counted_metric_is_held_against_the_build_before():
    size = metric_get("model_size")
    values = [1e6, 1e6, 1e6, 2e6, 2e6]
    (doubt,) = history_replay(history(values, metric=size), USUAL)
    assert (doubt.ordinal, doubt.outcome, doubt.pairs) == (4, "confirmed", 0)
    assert history_replay(history(values, metric=size), policy_make(relevant={"model_size": 1.0})) == []


def test_policies_that_cannot_differ_are_replayed_once_and_others_twice():
    given = history(values_make(0.1))
    before, after = histories_replay(given, (USUAL, policy_make(alpha=0.05)))
    assert before is after
    before, after = histories_replay(given, (USUAL, policy_make(relevant={"latency_p50": 0.5})))
    assert before
    assert after == []


@pytest.fixture
def slowed_once(project):
    """Thirty quiet builds and twelve that are 10 % slower: confirmed by pairs, one incident."""
    builds = history_make(project, values_make(0.1))
    for _ in range(6):
        reports_screen()
        for job in Job.objects.filter(kind="compare", state="queued"):
            compare_report(job, {"latency_p50": 1.1 if job.run.build.ordinal >= 30 else 1.0})
            Job.objects.filter(pk=job.pk).update(
                started_at=timezone.now() - timedelta(minutes=8), ended_at=timezone.now()
            )
    assert Incident.objects.count() == 1
    return builds


def rows_of() -> list[object]:
    tables = (Suspicion, Verdict, Incident, SeriesState, RuleChange, Job)
    return [list(table.objects.order_by("pk").values()) for table in tables]


@pytest.mark.django_db
def test_the_same_policy_makes_no_difference_and_nothing_is_written(slowed_once, project):
    before = rows_of()
    found = dry_run(project=project, parameters={})
    assert (found.series, found.series_all, found.points) == (1, 1, 42)
    assert (found.gained, found.lost, found.missed, found.unfound) == ([], [], [], 0)
    assert found.before == found.after
    assert found.before.suspicions >= 1
    assert found.before.minutes > 0
    assert rows_of() == before


@pytest.mark.django_db
def test_an_incident_that_would_not_have_been_found_is_named(slowed_once, project):
    found = dry_run(project=project, parameters={"relevant": {"latency_p50": 0.5}})
    assert found.missed == list(Incident.objects.all())
    assert found.after.suspicions == 0
    assert found.after.minutes == 0
    assert [row.series.metric for row in found.lost] == ["latency_p50"] * len(found.lost)


@pytest.mark.django_db
def test_it_stops_at_the_points_it_may_take(slowed_once, project):
    found = dry_run(project=project, parameters={}, points=0)
    assert (found.series, found.series_all, found.points) == (0, 1, 0)


@pytest.mark.django_db
def test_a_rule_that_is_none_is_refused(project):
    with pytest.raises(PerfsiteError, match="score is 99"):
        dry_run(project=project, parameters={"score": 99})


@pytest.mark.django_db
def test_the_command_prints_the_difference(slowed_once, project, capsys):
    call_command("dry_run", project=project.slug, relevant=["latency_p50=0.5"])
    told = capsys.readouterr().out
    accused = Incident.objects.get().build.short
    assert f"at {accused} not found any more" in told
    assert "1 of 1 series, 42 points" in told


@pytest.mark.django_db
@pytest.mark.parametrize(("pattern", "is_lost"), [("cnn/*/*/b1", True), ("cnn/*/*/b8,qps=50", False)])
def test_the_command_takes_a_case(slowed_once, project, capsys, pattern, is_lost):
    call_command("dry_run", project=project.slug, relevant=[f"{pattern}:latency_p50=0.5"])
    told = capsys.readouterr().out
    assert f"relevant latency_p50 of {pattern} 50.0 %" in told
    assert ("not found any more" in told) == is_lost


def test_the_commands_help_says_which_key_holds(capsys):
    with pytest.raises(SystemExit):
        call_command("dry_run", "--help")
    told = " ".join(capsys.readouterr().out.split())
    assert "latency_p50=0.05 is 5 %;" in told
    assert "of several the longest pattern" in told


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "says"), [({"relevant": ["latency_p50"]}, "METRIC=PART"), ({"score": 99.0}, "score is 99")]
)
def test_the_command_says_what_is_wrong(project, options, says):
    with pytest.raises(CommandError, match=says):
        call_command("dry_run", project=project.slug, **options)
