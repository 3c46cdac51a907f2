"""What later data and people make of an incident: withdrawn, fixed, accepted, invalid, wrong."""

from __future__ import annotations

import numpy as np
import pytest

from perfsite.regressions.answers import answers_judge
from perfsite.regressions.causes import causes_find
from perfsite.regressions.levels import level_starts
from perfsite.regressions.models import Incident, Regression, SeriesState, Verdict
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import Memory
from perfsite.regressions.services import reports_screen
from perfsite.regressions.triage import incident_triage
from perfsite.runs.models import Job
from tests.factories import case_make, job_make
from tests.regressions.builders import QUIET, build_make, compare_job, compare_report
from tests.regressions.witnessed import build_measured, level_measured, settle, witnessed_report

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(project) -> Incident:
    """The ninth build is 20 % slower, confirmed."""
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    return Incident.objects.get()


def codes(incident: Incident) -> list[str]:
    return [event.code for event in incident.events.order_by("id")]


def compare_again(incident: Incident, ratio: float) -> None:
    """Another comparison of the accused build with its base."""
    first = compare_job()
    again = job_make(incident.build, case_make(), kind="compare", spec=first.spec)
    compare_report(again, {"latency_p50": ratio})


def test_pairs_measured_again_withdraw_an_incident_and_the_level_returns(incident):
    compare_again(incident, 1.0)
    causes_find()
    incident.refresh_from_db()
    assert incident.withdrawn_at is not None
    assert "did not change the latency p50" in incident.withdrawn_reason
    assert codes(incident) == ["opened", "withdrawn"]
    assert incident.regressions.count() == 1
    series = Regression.objects.get().series
    assert level_starts(series_id=series.pk) == []
    assert SeriesState.objects.get(series=series).level_start == 0
    kinds = Verdict.objects.filter(stage="confirmation").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["regressed", "same"]


def test_pairs_measured_again_that_agree_change_nothing(incident):
    compare_again(incident, 1.2)
    causes_find()
    incident.refresh_from_db()
    assert incident.withdrawn_at is None
    assert Verdict.objects.filter(stage="confirmation").count() == 1


def test_a_second_pass_withdraws_nothing_twice(incident):
    compare_again(incident, 1.0)
    while causes_find():
        pass
    causes_find()
    assert codes(incident).count("withdrawn") == 1
    assert Verdict.objects.filter(kind="same", stage="confirmation").count() == 1


def test_a_confirmed_return_to_the_old_level_fixes_and_names_the_commit(incident, project):
    for ordinal in (10, 11):
        build_measured(project, ordinal, 1.2 * QUIET[ordinal % 8])
        settle(1.0)
    mended = build_measured(project, 12, 1.0)
    settle(1 / 1.2)
    incident.refresh_from_db()
    assert incident.state == "fixed"
    last = incident.events.order_by("id").last()
    assert (last.code, last.actor) == ("fixed", "")
    assert mended.short in last.sentence
    assert incident.withdrawn_at is None


def test_a_small_improvement_fixes_nothing(incident, project):
    for ordinal in (10, 11):
        build_measured(project, ordinal, 1.2)
        settle(1.0)
    build_measured(project, 12, 1.12)
    settle(1.12 / 1.2)
    incident.refresh_from_db()
    assert incident.state == "untriaged"


def test_what_a_person_closed_is_not_closed_again(incident, project):
    incident_triage(incident=incident, state="accepted", note="worth it", actor="ada")
    build_measured(project, 10, 1.2)
    settle(1.0)
    build_measured(project, 11, 1.0)
    settle(1 / 1.2)
    incident.refresh_from_db()
    assert incident.state == "accepted"


def test_every_step_of_triage_is_an_event_with_its_actor(incident):
    incident_triage(incident=incident, state="investigating", note="", actor="ada")
    incident_triage(incident=incident, state="investigating", note="a cache?", actor="bob")
    incident_triage(incident=incident, state="investigating", note="a cache?", actor="bob")
    told = list(incident.events.order_by("id").values_list("code", "actor"))
    assert told == [("opened", ""), ("investigating", "ada"), ("note", "bob")]


def test_accepting_keeps_the_new_level_and_marks_it(incident, project):
    incident_triage(incident=incident, state="accepted", note="", actor="ada")
    incident.refresh_from_db()
    series = Regression.objects.get().series
    assert incident.facts["accepted"] == {"by": "ada", "build": incident.build_id, "series": [series.pk]}
    assert SeriesState.objects.get(series=series).level_start == 9
    for ordinal in (10, 11, 12):
        build_measured(project, ordinal, 1.2 * QUIET[ordinal % 8])
    reports_screen()
    assert not Job.objects.filter(kind="compare", state="queued").exists()


def test_accepting_keeps_what_the_series_had_shown_of_its_noise(incident, project):
    incident_triage(incident=incident, state="accepted", note="", actor="ada")
    build_measured(project, 10, 1.2 * QUIET[1])
    reports_screen()
    fields = SeriesState.objects.get().screen
    memory = Memory.from_json(fields, persona=Rule().persona, relevant=0.03, grain=0.0)
    residuals = np.frombuffer(memory.online.kept, dtype=np.float32).astype(float)
    assert (memory.level, memory.online.points, len(residuals)) == (
        9,
        2,
        10,
    )  # a new level, the old points kept
    # the old level's points are noise about zero now, as wide as they were
    before = np.log(QUIET)
    assert np.allclose(residuals[:8], before - np.median(before), atol=1e-6)


def test_calling_it_invalid_clears_the_points_and_taking_it_back_restores_the_level(incident):
    series = Regression.objects.get().series
    incident_triage(incident=incident, state="invalid", note="", actor="ada")
    newest = Verdict.objects.order_by("id").last()
    assert (newest.kind, newest.stage, newest.build) == ("same", "triage", incident.build)
    assert newest.sentence.startswith("ada called it invalid")
    assert SeriesState.objects.get(series=series).level_start == 0
    causes_find()
    incident.refresh_from_db()
    assert incident.withdrawn_at is None
    incident_triage(incident=incident, state="confirmed", note="", actor="ada")
    assert level_starts(series_id=series.pk) == [9]
    assert SeriesState.objects.get(series=series).level_start == 9


def test_faster_but_wrong_is_one_incident_that_says_so_first(project):
    cases = (case_make(suite="latency"), case_make(suite="accuracy"))
    for ordinal, factor in enumerate(QUIET, start=1):
        job = job_make(build_make(project, ordinal), *cases)
        witnessed_report(job, {"latency_p50": factor, "accuracy_cosine_distance": 0.01 * factor})
    guilty = build_make(project, 9)
    witnessed_report(job_make(guilty, *cases), {"latency_p50": 0.8, "accuracy_cosine_distance": 0.03})
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 0.8, "accuracy_cosine_distance": 3.0})
    reports_screen()
    incident = Incident.objects.get()
    headline = incident.facts["headline"]
    assert headline.startswith(f"{guilty.short} made cnn 20.")
    assert "faster on cpu (torch, fp32, batch 1), and its answers wrong: cosine distance to fp32" in headline
    assert codes(incident) == ["opened", "wrong"]
    for verdict in Verdict.objects.filter(stage="confirmation"):
        assert answers_judge(verdict=verdict) is False
    causes_find()
    assert codes(incident) == ["opened", "wrong"]


def test_faster_in_one_runner_and_wrong_in_another_is_not_told_as_one(project):
    cases = (case_make(suite="latency"), case_make(suite="accuracy", runner="onnxruntime"))
    for ordinal, factor in enumerate(QUIET, start=1):
        job = job_make(build_make(project, ordinal), *cases)
        witnessed_report(job, {"latency_p50": factor, "accuracy_cosine_distance": 0.01 * factor})
    job = job_make(build_make(project, 9), *cases)
    witnessed_report(job, {"latency_p50": 0.8, "accuracy_cosine_distance": 0.03})
    reports_screen()
    compare_report(compare_job(), {"latency_p50": 0.8, "accuracy_cosine_distance": 3.0})
    reports_screen()
    assert "headline" not in Incident.objects.get().facts
