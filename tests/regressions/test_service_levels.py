"""Service levels, judged on the reports a worker sends: breached, joined, met again, asked no more."""

import pytest

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.models import Incident, LevelStanding
from perfsite.regressions.regrouping import incident_merge
from perfsite.regressions.service_levels import levels_judge
from perfsite.regressions.services import reports_screen
from perfsite.regressions.triage import incident_triage
from perfsite.regressions.verdicts import build_standing
from perfsite.results.services import report_store
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.reports import report_make

LEVEL = {"key": "latency_p99 at_most", "metric": "latency_p99", "direction": "at_most", "bound": 0.080}


@pytest.fixture
def lab(db):
    project, worker = project_make(), worker_make()

    def measure(ordinal, p99, *, levels=(LEVEL,), case=None):
        build = project.builds.filter(ordinal=ordinal).first() or build_make(project, ordinal)
        job = job_make(build, case or case_make())
        job.spec["levels"] = list(levels)
        job.save()
        body = report_make(job, {"latency_p50": 0.01, "latency_p99": p99})
        report_store(token=claim(worker).token, body=body, raw=body.model_dump_json().encode())
        reports_screen()
        return job

    return measure


def test_breach_is_an_incident_without_any_change_point(lab):
    lab(1, 0.070)
    assert Incident.objects.count() == 0
    lab(2, 0.0912)
    incident = Incident.objects.get()
    assert (incident.kind, incident.state, incident.build.ordinal) == ("service", "untriaged", 2)
    assert incident.range_start.ordinal == 1
    assert incident.facts["headline"] == (
        "Latency p99 of cnn/torch/fp32/b1 on cpu is 91.2 ms, over its service level of at most 80.0 ms."
    )
    standing = LevelStanding.objects.get()
    assert (standing.is_met, standing.value, standing.incident) == (False, 0.0912, incident)


def test_breach_that_stays_is_one_incident_and_ends_when_it_is_met(lab):
    lab(1, 0.091)
    lab(2, 0.095)
    incident = Incident.objects.get()
    assert "95.0 ms" in incident.facts["headline"]
    other = case_make(batch=8)
    lab(3, 0.2, case=other)  # another series breaches the same level
    assert Incident.objects.count() == 1
    assert (
        "1 more series" in incident.facts.get("headline", "")
        or "200 ms" in Incident.objects.get().facts["headline"]
    )
    lab(4, 0.079)
    incident.refresh_from_db()
    assert incident.state == "untriaged"  # the other one still breaches it
    lab(4, 0.08, case=other)  # exactly the bound is met
    incident.refresh_from_db()
    assert (incident.state, incident.fixed_at is not None) == ("fixed", True)
    assert [event.code for event in incident.events.order_by("id")] == ["opened", "joined", "met"]
    lab(5, 0.1)
    assert Incident.objects.filter(fixed_at=None).get().build.ordinal == 5


def test_report_of_an_older_build_is_history_and_judging_twice_changes_nothing(lab):
    job = lab(5, 0.070)
    lab(3, 0.2)
    assert Incident.objects.count() == 0
    before = LevelStanding.objects.get()
    levels_judge(job=job)
    assert LevelStanding.objects.get().since == before.since
    lab(6, 0.1)
    events = Incident.objects.get().events.count()
    levels_judge(job=LevelStanding.objects.get().job)
    assert Incident.objects.get().events.count() == events


def test_another_bound_is_the_same_level_and_a_level_that_is_gone_ends_its_breach(lab):
    lab(1, 0.091)
    lab(2, 0.091, levels=[LEVEL | {"bound": 0.1}])
    incident = Incident.objects.get()
    assert incident.state == "fixed"
    lab(3, 0.2)
    breach = Incident.objects.get(fixed_at=None)
    lab(4, 0.2, levels=[])
    breach.refresh_from_db()
    assert breach.state == "fixed"
    assert [event.code for event in breach.events.order_by("id")] == ["opened", "dropped"]  # it was not met
    assert LevelStanding.objects.count() == 0


def test_breach_is_merged_into_nothing_or_its_next_ones_would_join_what_nobody_sees(lab):
    job = lab(1, 0.2)
    breach = Incident.objects.get()
    project, build = breach.project, job.run.build
    code = Incident.objects.create(project=project, build=build, range_start=build)
    for source, into in ((breach, code), (code, breach)):
        with pytest.raises(PerfsiteError, match="service level"):
            incident_merge(incident=source, into=into, actor="ada")


def test_level_concerns_only_the_cases_it_names(lab):
    lab(
        1,
        0.2,
        levels=[LEVEL | {"runner": "onnxruntime"}, LEVEL | {"device": "h100"}, LEVEL | {"shape": "b8"}],
    )
    assert LevelStanding.objects.count() == 0


def test_breach_stands_beside_the_incident_of_the_same_build(lab):
    job = lab(1, 0.2)
    build = job.run.build
    code = Incident.objects.create(project=build.project, build=build, range_start=build)
    assert set(build.incidents.values_list("kind", flat=True)) == {"code", "service"}
    assert Incident.objects.exclude(kind="service").get() == code


def test_breach_alone_makes_the_builds_verdict(lab):
    lab(1, 0.070)
    job = lab(2, 0.0912)
    standing = build_standing(build=job.run.build)
    assert (standing.is_settled, standing.verdict, standing.counts["breached"]) == (True, "regressed", 1)
    assert standing.reasons[0].endswith("is 91.2 ms, over its service level of at most 80.0 ms.")
    assert standing.incident_id == Incident.objects.get().pk
    still = lab(3, 0.092).run.build  # the same breach lasts: this build does not keep the level either
    assert build_standing(build=still).incident_id == standing.incident_id
    met = lab(4, 0.07).run.build
    assert (build_standing(build=met).verdict, build_standing(build=met).incident_id) == ("unjudged", None)
    # what a later build measured changes nothing about the earlier ones
    assert build_standing(build=still).verdict == "regressed"


def test_breach_that_a_person_accepted_stops_nobody(lab):
    build = lab(1, 0.0912).run.build
    assert build_standing(build=build).verdict == "regressed"
    incident_triage(incident=Incident.objects.get(), state="accepted", actor="ada")
    assert build_standing(build=build).verdict == "unjudged"
