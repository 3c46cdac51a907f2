"""Figures from self-tests, triage and suspicions; changing the rule."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.grading.figures import PERIOD, grading_read
from perfsite.regressions.grading.rules import DEFAULTS, rule_change, rule_checked, rule_now, rule_with
from perfsite.regressions.grading.words import command_words, rule_words
from perfsite.regressions.models import Incident, RuleChange, SelfTest
from perfsite.regressions.screening.project_rule import rule_of
from perfsite.regressions.services import reports_screen
from perfsite.regressions.triage import incident_triage
from perfsite.results.models import Series
from tests.factories import job_make
from tests.regressions.builders import compare_job, compare_report

pytestmark = pytest.mark.django_db


def graded(project):
    return grading_read(project=project, now=timezone.now())


def self_test(project, job, verdict, *, metric="latency_p50", device_class="cpu", days=1):
    return SelfTest.objects.create(
        project=project,
        job=job,
        metric=metric,
        device_class=device_class,
        verdict=verdict,
        relative=0.0,
        pairs=8,
        created_at=timezone.now() - timedelta(days=days),
    )


def test_without_a_history_nothing_is_claimed(project):
    found = graded(project)
    assert found.kinds == []
    assert found.every.alarms.value is None
    assert found.every.precision.value is None


def test_false_alarms_are_counted_by_kind_and_only_lately(slowed, project):
    job = job_make(slowed[0], kind="compare")
    for verdict in ("same", "unknown", "regressed"):
        self_test(project, job, verdict)
    self_test(project, job, "improved", metric="latency_p99", device_class="h100")
    self_test(project, job, "improved", days=PERIOD.days + 1)
    found = graded(project)
    assert (found.every.alarms.count, found.every.alarms.total) == (2, 4)
    assert (found.every.comparisons, found.every.undecided) == (1, 1)
    by_kind = {(row.kind.group, row.kind.device_class): row.alarms for row in found.kinds}
    assert (by_kind["latency", "cpu"].count, by_kind["latency", "cpu"].total) == (1, 3)
    assert (by_kind["tails", "h100"].count, by_kind["tails", "h100"].total) == (1, 1)


@pytest.mark.parametrize(
    ("state", "right", "judged"),
    [
        ("untriaged", 0, 0),
        ("investigating", 0, 0),
        ("confirmed", 1, 1),
        ("accepted", 1, 1),
        ("fixed", 1, 1),
        ("invalid", 0, 1),
    ],
)
def test_a_judged_incident_counts_once(slowed, project, state, right, judged):
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    incident_triage(incident=Incident.objects.get(), state=state, note="")
    found = graded(project)
    assert (found.every.precision.count, found.every.precision.total) == (right, judged)
    assert found.waiting == 1 - judged


def test_a_withdrawn_incident_was_wrong_whatever_a_person_said(slowed, project):
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    Incident.objects.update(state="confirmed", withdrawn_at=timezone.now())
    assert (graded(project).every.precision.count, graded(project).every.precision.total) == (0, 1)


def test_an_old_incident_counts_for_all_time_only(slowed, project):
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    Incident.objects.update(state="confirmed", opened_at=timezone.now() - PERIOD - timedelta(days=1))
    every = graded(project).every
    assert (every.precision.total, every.precision_ever.total) == (0, 1)


@pytest.mark.parametrize(("ratio", "refuted", "confirmed"), [(1.0, 1, 0), (1.2, 0, 1)])
def test_suspicions_are_counted_by_what_pairs_said(slowed, project, ratio, refuted, confirmed):
    # the builders receive builds at a date of their own
    for build in slowed:
        type(build).objects.filter(pk=build.pk).update(received_at=timezone.now())
    compare_report(compare_job(), {"latency_p50": ratio})
    reports_screen()
    every = graded(project).every
    assert (every.refuted.count, every.confirmed) == (refuted, confirmed)
    assert every.refuted.total == len(slowed)


def test_a_changed_rule_reaches_the_screen_and_keeps_its_history(project):
    first = rule_with(project_id=project.pk, changes={"score": 4.0, "relevant": {"latency_p50": 0.05}})
    one = rule_change(project=project, parameters=first, actor="ada", reason="too many", since=None)
    assert rule_of(project_id=project.pk).score == 4.0
    second = rule_with(project_id=project.pk, changes={"relevant": {"latency_p50": None}})
    rule_change(project=project, parameters=second, actor="ada", reason="back", since=one.pk)
    assert rule_now(project_id=project.pk) == {**DEFAULTS, "score": 4.0}
    assert RuleChange.objects.count() == 2


def test_a_key_with_a_case_is_kept_told_of_and_taken_away(project):
    table = {"latency_p50": 0.05, "cnn/torch/*/*:latency_p50": 0.08}
    first = rule_with(project_id=project.pk, changes={"relevant": table})
    one = rule_change(project=project, parameters=first, actor="ada", reason="noisy", since=None)
    assert rule_words(one.parameters).endswith(
        "relevant latency_p50 of cnn/torch/*/* 8.0 %, relevant latency_p50 5.0 %"
    )
    assert command_words("zoo", one.parameters).endswith(
        "--relevant 'cnn/torch/*/*:latency_p50=0.08' --relevant latency_p50=0.05"
    )
    second = rule_with(project_id=project.pk, changes={"relevant": {"cnn/torch/*/*:latency_p50": None}})
    assert second["relevant"] == {"latency_p50": 0.05}


def test_the_second_of_two_persons_is_told(project):
    rule_change(project=project, parameters={"score": 4.0}, actor="ada", reason="quiet", since=None)
    with pytest.raises(PerfsiteError, match="ada changed the rule meanwhile"):
        rule_change(project=project, parameters={"score": 5.0}, actor="bob", reason="quiet", since=None)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"scroe": 3}, "scroe"),
        ({"score": 0.5}, "score is 0.5"),
        ({"score": float("nan")}, "score is nan"),
        ({"score": True}, "score is True"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"max_pairs": 3.5}, "max_pairs is 3.5, not a whole number"),
        ({"relevant": {"latency_p05": 0.1}}, "latency_p05"),
        ({"relevant": {"latency_p50": 5}}, "0.05 is 5 %"),
        ({"relevant": {"latency_cv": 0.1}}, "no metric that is judged"),
        ({"relevant": [1]}, "a table"),
        ({"relevant": {7: 0.1}}, "relevant names 7"),
        ({"relevant": {"cnn/**:latency_p05": 0.1}}, "names 'latency_p05', which is no metric"),
        ({"relevant": {"cnn/**": 0.1}}, "a key is METRIC or CASE:METRIC"),
        ({"relevant": {":latency_p50": 0.1}}, "has ':latency_p50': a pattern has 1 to 200 characters"),
        ({"relevant": {"cnn/[ab]/*/*:latency_p50": 0.1}}, r"only \*, \? and \*\* have a meaning"),
        ({"relevant": {"cnn:latency_p50": 0.1}}, "matches no case: a case is model/runner/precision/shape"),
        ({"relevant": {"cnn/**:latency_p50": 8}}, r"relevant of cnn/\*\*:latency_p50 is 8; .* 0.05 is 5 %"),
        ({"relevant": {"a/**:latency_p50": 0.1, "**/b:latency_p50": 0.1}}, "equally long patterns"),
        ({"relevant": {f"m{i}/**:latency_p50": 0.1 for i in range(41)}}, "41 keys with a case; .* 40"),
    ],
)
def test_parameters_that_make_no_rule_are_refused_with_the_reason(fields, says):
    with pytest.raises(PerfsiteError, match=says):
        rule_checked(fields)


def test_a_change_needs_a_reason_and_a_difference(project):
    with pytest.raises(PerfsiteError, match="say why"):
        rule_change(project=project, parameters={"score": 4.0}, actor="ada", reason=" ", since=None)
    with pytest.raises(PerfsiteError, match="hold already"):
        rule_change(project=project, parameters={}, actor="ada", reason="why not", since=None)


def test_the_command_prints_the_figures(slowed, project, capsys):
    compare_report(compare_job(), {"latency_p50": 1.2})
    reports_screen()
    Incident.objects.update(state="confirmed")
    self_test(project, job_make(slowed[0], kind="compare"), "regressed")
    call_command("grade", project=project.slug)
    told = capsys.readouterr().out
    assert "Of 1 self-test in 1 comparison" in told
    assert "Of 1 judged incident 1 was real" in told
    assert "latency, cpu" in told
    assert Series.objects.count() == 1


def test_the_command_lists_the_projects_it_knows(project):
    with pytest.raises(CommandError, match=f"no project 'none'; known: {project.slug}"):
        call_command("grade", project="none")
