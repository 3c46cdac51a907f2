"""A confirmed regression orders one profile of both builds: once, within the budget, and restartable."""

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.regressions import profiles
from perfsite.regressions.models import Incident, IncidentEvent, Regression, Suspicion, Verdict
from perfsite.regressions.profiles import profiles_order
from perfsite.regressions.selectors import build_is_judged
from perfsite.results.models import Series
from perfsite.runs.models import Attempt, Job
from tests.factories import case_make, job_make, worker_make
from tests.regressions.builders import QUIET, history_make

CASE = case_make()


def accuse(build, base, series: Series, **told) -> Incident:
    """An incident of `build` with one confirmed regression of `series`."""
    facts = {"kind": "regressed", "stage": "confirmation", "before": 1.0, "after": 1.2, "relative": 0.2}
    verdict = Verdict.objects.create(
        series=series, build=build, base=base, sentence="slower", detector="t", data_sha256="0" * 64,
        **{"job": Job.objects.get(run__build=build, kind="measure"), **facts, **told},
    )  # fmt: skip
    incident, _ = Incident.objects.get_or_create(
        build=build, defaults={"project": build.project, "range_start": base}
    )
    Regression.objects.create(incident=incident, series=series, build=build, verdict=verdict)
    return incident


@pytest.fixture
def incident(project) -> Incident:
    builds = history_make(project, [*QUIET[:3], 1.2])
    return accuse(builds[3], builds[2], Series.objects.get(project=project))


def ordered() -> list[Job]:
    return list(Job.objects.filter(kind="profile"))


def test_one_profile_of_both_builds_is_ordered_once(incident):
    assert profiles_order() == 1
    assert profiles_order() == 0
    (job,) = ordered()
    assert job.run.build == incident.build
    assert job.spec["base"] == incident.range_start_id
    assert [case["runner"] for case in job.spec["cases"]] == ["torch"]
    assert job.spec["source"] == {"kind": "catalogue", "ref": "tiny-cnn"}
    incident.refresh_from_db()
    assert incident.facts["profile"] == {"job": job.pk, "case": CASE.label}
    assert IncidentEvent.objects.filter(incident=incident, code="profile").count() == 1


def test_a_profile_goes_behind_commits_and_holds_up_no_message(incident):
    Job.objects.filter(kind="measure").update(state="done")
    was = build_is_judged(build=incident.build)
    profiles_order()
    (job,) = ordered()
    assert 0 < job.priority < 10
    assert build_is_judged(build=incident.build) == was


def test_the_device_that_confirmed_is_asked_for_while_it_lives(incident):
    worker = worker_make()
    profiles_order()
    (job,) = ordered()
    assert job.pin == worker.device_uuid


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "expected"},
        {"kind": "environment"},
        {"withdrawn_at": timezone.now()},
        {"opened_at": timezone.now() - timedelta(days=4)},
        {"facts": {"profile": {"reason": "no"}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_closed_old_or_answered_incidents_order_none(incident, fields):
    Incident.objects.filter(pk=incident.pk).update(**fields)
    assert profiles_order() == 0
    assert ordered() == []


def test_only_confirmed_regressions_of_inference_time_are_profiled(incident):
    Verdict.objects.update(stage="screen")
    assert profiles_order() == 0
    Verdict.objects.update(stage="confirmation")
    Series.objects.update(suite="memory")
    assert profiles_order() == 0


def test_it_waits_while_something_is_suspected_of_the_build(incident):
    regression = incident.regressions.get()
    other = Series.objects.create(
        key="k", project=incident.project, branch="main", device_class="cpu", split="", model="cnn",
        runner="torch", precision="fp32", shape="b1", suite="latency", metric="latency_p90",
    )  # fmt: skip
    suspicion = Suspicion.objects.create(
        series=other, build=incident.build, base=incident.range_start, trigger=regression.verdict.job
    )
    assert profiles_order() == 0
    Suspicion.objects.filter(pk=suspicion.pk).update(state="settled")
    assert profiles_order() == 1


def test_a_spent_day_puts_it_off(incident, monkeypatch):
    spec = Job.objects.get(run__build=incident.build).spec
    spent = {**spec, "confirmation": {"minutes_per_day": 0}}
    Job.objects.filter(run__build=incident.build).update(spec=spent)
    assert profiles_order() == 0
    incident.refresh_from_db()
    assert "profile" not in incident.facts
    Job.objects.filter(run__build=incident.build).update(spec=spec)
    assert profiles_order() == 1


def test_what_nothing_can_measure_any_more_is_told_once(incident):
    Verdict.objects.update(job=None)
    assert profiles_order() == 1
    assert profiles_order() == 0
    incident.refresh_from_db()
    assert "gone" in incident.facts["profile"]["reason"]
    assert ordered() == []


def test_a_stop_in_the_middle_orders_neither_none_nor_two(incident, monkeypatch):
    def stop(**_):
        raise RuntimeError("killed")

    monkeypatch.setattr(profiles, "fact_note", stop)
    assert profiles_order() == 0
    assert ordered() == []
    monkeypatch.undo()
    assert profiles_order() == 1
    assert len(ordered()) == 1


def test_one_incident_that_fails_does_not_keep_another(project, incident, monkeypatch):
    builds = history_make(project, [1.5, 1.9], first=10)
    second = accuse(builds[1], builds[0], Series.objects.get(project=project))
    whole = profiles.measure_job

    def broken(*, regression, build):
        if build == incident.build:
            raise RuntimeError("broken row")
        return whole(regression=regression, build=build)

    monkeypatch.setattr(profiles, "measure_job", broken)
    assert profiles_order() == 1
    assert ordered()[0].run.build == second.build


def test_the_worst_regression_is_profiled(project, incident):
    case = case_make(runner="onnxruntime", batch=8)
    job = job_make(incident.build, CASE, case)
    Job.objects.filter(run__build=incident.build).exclude(pk=job.pk).update(spec=job.spec)
    job.delete()
    worse = Series.objects.create(
        key="w", project=project, branch="main", device_class="cpu", split="", model="cnn",
        runner="onnxruntime", precision="fp32", shape="b8", suite="latency", metric="latency_p50",
    )  # fmt: skip
    accuse(incident.build, incident.range_start, worse, relative=0.9)
    assert profiles_order() == 1
    assert ordered()[0].spec["cases"] == [case.model_dump()]
    assert Attempt.objects.filter(job=ordered()[0]).count() == 0
