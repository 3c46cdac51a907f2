"""Results measured elsewhere: no comparison is ordered, later builds decide, and may take it back."""

import random

import pytest

from benchmarks.report import Environment
from perfsite.regressions.causes.closing import incidents_close
from perfsite.regressions.models import Incident, Suspicion, Verdict
from perfsite.regressions.services import reports_screen
from perfsite.regressions.verdicts import build_standing
from perfsite.results.elsewhere import Results, Value, results_store
from perfsite.runs.commits import Commit
from perfsite.runs.models import Build, Job
from tests.factories import project_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return project_make()


@pytest.fixture
def send(project):
    noise = random.Random(4)

    def store(number: int, level: float) -> Build:
        value = level * (1 + noise.gauss(0, 0.005))
        row = Value("tokenizer", "pytest", "", "b1", "elsewhere", "latency_p50", value, n=400)
        results = Results(
            Commit(sha=f"{number:040x}"), "main", number, "ci", "tests", Environment(facts={}), [row]
        )
        told = results_store(project=project, results=results, raw=str((number, level)).encode())
        reports_screen()
        return told.build

    return store


def newest(build):
    return Verdict.objects.filter(build=build).order_by("-id").first()


def test_a_step_is_unknown_first_and_told_by_five_builds(send):
    for number in range(1, 31):
        send(number, 0.010)
    assert not Suspicion.objects.exists()
    bad = send(31, 0.0115)
    for number in range(32, 34):
        send(number, 0.0115)
    assert not Job.objects.exclude(kind=Job.Kind.EXTERNAL).exists()
    assert (newest(bad).kind, newest(bad).stage) == ("unknown", "pass")
    standing = build_standing(build=bad)
    assert (standing.is_settled, standing.verdict) == (True, "unknown")
    assert "cannot be run again" in standing.reasons[0]
    assert not Incident.objects.exists()
    for number in range(34, 39):
        send(number, 0.0115)
    incident = Incident.objects.get()
    assert (incident.build, incident.range_start.ordinal) == (bad, 30)
    verdict = incident.regressions.get().verdict
    assert (verdict.stage, verdict.kind, verdict.job) == ("pass", "regressed", None)
    assert 0.13 < verdict.relative < 0.17
    assert verdict.relative_low < 0.15 < verdict.relative_high
    assert "builds show it" in verdict.sentence
    assert build_standing(build=bad).verdict == "regressed"


@pytest.mark.parametrize(("pattern", "incidents"), [("tokenizer/**", 0), ("bert/**", 1)])
def test_later_builds_decide_by_the_rule_of_the_case(project, send, pattern, incidents):
    for number in range(1, 31):
        send(number, 0.010)
    for number in range(31, 34):
        send(number, 0.0115)
    assert Suspicion.objects.exists()
    project.rule_changes.create(parameters={"relevant": {f"{pattern}:latency_p50": 0.3}})
    for number in range(34, 39):
        send(number, 0.0115)
    assert Incident.objects.count() == incidents


def test_what_comes_back_by_itself_is_told_to_nobody(send):
    for number in range(1, 31):
        send(number, 0.010)
    bad = send(31, 0.0115)
    for number in range(32, 34):
        send(number, 0.0115)
    assert newest(bad).kind == "unknown"
    for number in range(34, 60):
        send(number, 0.010)
    assert not Incident.objects.exists()
    assert newest(bad).kind == "same"
    assert "do not show it" in newest(bad).sentence
    assert not Suspicion.objects.filter(evidence__has_key="later").exists()


def test_what_it_told_is_taken_back_when_more_builds_do_not_show_it(send):
    for number in range(1, 31):
        send(number, 0.010)
    for number in range(31, 37):
        bad = send(number, 0.0115 if number == 31 else 0.0113)
    incident = Incident.objects.get()
    suspicion = Suspicion.objects.get(evidence__later__verdict__isnull=False)
    assert suspicion.evidence["later"]["verdict"] == incident.regressions.get().verdict_id
    # the points were wrong: they are measured anew, and the series never moved
    from perfsite.results.models import Measurement

    Measurement.objects.filter(ordinal__gte=31).update(value=0.010)
    send(37, 0.010)
    incidents_close()
    incident.refresh_from_db()
    assert incident.state == "withdrawn"
    assert "do not show it" in incident.withdrawn_reason
    assert bad
