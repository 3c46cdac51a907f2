"""What the screen remembers: rebuilt from the rows it answers as the one carried from push to push."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from perfsite.regressions.confirmation.order import suspicions_order
from perfsite.regressions.detection import EAGER
from perfsite.regressions.models import AGAIN, Regression, RuleChange, SeriesState, Suspicion, Verdict
from perfsite.regressions.screening.level import LevelScreen
from perfsite.regressions.screening.project_rule import rule_of
from perfsite.regressions.screening.rule import Rule
from perfsite.regressions.screening.state import Doubt, Memory
from perfsite.regressions.services import reports_screen
from perfsite.results.models import Measurement, Report, Series
from perfsite.runs.models import Build, Job
from tests.factories import case_make, job_make, project_make
from tests.regressions.builders import QUIET, build_make, compare_report, history_make, values_report

pytestmark = pytest.mark.django_db


def level(points: int, *, seed: int, at: float = 1.0) -> list[float]:
    """A level with 1 % of normal noise."""
    return (at * np.exp(0.01 * np.random.default_rng(seed).normal(size=points))).tolist()


def pushes_screen(
    project, values, *, first: int = 1, ratio: float = 1.0, whole: float | None = None, forget: bool = False
) -> None:
    """Builds come home one by one; every comparison finds `ratio`, that of a lasting level `whole`.

    With `forget` no state is carried.

    The first twenty-six are quiet and come at once.
    """
    if first == 1:
        history_make(project, values[:26])
        first, values = 27, values[26:]
    for ordinal, value in enumerate(values, start=first):
        if forget:
            SeriesState.objects.update(screen={})
        history_make(project, [value], first=ordinal)
        reports_screen()
        for job in Job.objects.filter(kind="compare", state="queued"):
            is_again = job.suspicions.filter(evidence__has_key=AGAIN).exists()
            compare_report(job, {"latency_p50": whole if whole and is_again else ratio})
            reports_screen()


def decided(project) -> list[tuple]:
    """What was suspected, by which point, and what came of it."""
    rows = (
        Suspicion.objects.filter(series__project=project)
        .order_by("id")
        .values_list("build__ordinal", "base__ordinal", "trigger__run__build__ordinal", "state")
    )
    verdicts = Verdict.objects.filter(series__project=project).order_by("id")
    state = SeriesState.objects.get(series__project=project)
    told = verdicts.values_list("build__ordinal", "stage", "kind")
    return [*rows, *told, (state.screened_through, state.level_start)]


STORY = [
    *level(28, seed=1),
    *level(18, seed=2, at=1.15),
    *level(3, seed=3, at=1.4),
    *level(4, seed=4, at=1.2),
]


@pytest.mark.parametrize("ratio", [1.0, 1.15], ids=["refuted", "confirmed"])
def test_rebuilt_before_every_point_it_decides_the_same(project, ratio):
    """Levels old and young, and answers of both kinds."""
    pushes_screen(project, STORY, ratio=ratio)
    assert Suspicion.objects.count() >= 2
    detectors = {row.evidence["detector"] for row in Suspicion.objects.all()}
    assert detectors == {"screen/1", "online/2"}
    other = project_make()
    pushes_screen(other, STORY, ratio=ratio, forget=True)
    assert decided(other) == decided(project)


def test_a_state_is_the_same_whether_carried_or_rebuilt(project):
    """With unstable points, a confirmed change and a refuted doubt."""
    pushes_screen(project, level(28, seed=5))
    for ordinal in (29, 30, 31):
        job = job_make(build_make(project, ordinal))
        values_report(job, {"latency_p50": 1.3}, unstable=ordinal == 30)
        reports_screen()
    for job in Job.objects.filter(kind="compare", state="queued"):
        compare_report(job, {"latency_p50": 1.3})
    pushes_screen(project, level(4, seed=6, at=1.3), first=32)
    carried = SeriesState.objects.get().screen
    assert carried["level"] == 29
    SeriesState.objects.update(screen={"version": "of another release"})
    pushes_screen(project, [1.3], first=36)
    rebuilt = SeriesState.objects.get().screen
    Measurement.objects.filter(ordinal=36).delete()
    Report.objects.filter(job__run__build__ordinal=36).delete()
    newest = Build.objects.get(ordinal=35)
    SeriesState.objects.update(screen=carried, screened_through=35, build=newest)
    Build.objects.filter(ordinal=36).delete()
    pushes_screen(project, [1.3], first=36)
    assert SeriesState.objects.get().screen == rebuilt


def test_a_state_does_not_grow():
    memory = Memory(LevelScreen(EAGER))
    sizes = []
    for place, value in enumerate(level(3000, seed=8), start=1):
        memory.take(place, value, unstable=place % 7 == 0)
        if place % 500 == 0:
            memory.doubt = Doubt(place, place - 2, 4.0)
            memory.settle(changed=False, cleared=True)
            sizes.append(len(json.dumps(memory.as_json())))
    assert max(sizes) < min(sizes) + 60
    assert max(sizes) < 2000


def test_a_push_reads_no_history(project, django_assert_max_num_queries):
    history_make(project, level(40, seed=10))
    reports_screen()
    history_make(project, [1.0], first=41)
    read = []

    def watch(execute, sql, params, many, context):
        if "results_measurement" in sql and "LIMIT 1000" in sql:
            read.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch), django_assert_max_num_queries(25):
        reports_screen()
    assert read == []
    SeriesState.objects.update(screen={})
    history_make(project, [1.0], first=42)
    with connection.execute_wrapper(watch):
        reports_screen()
    assert len(read) == 1


def test_queries_do_not_grow_with_the_series(project):
    """A hundred series cost as many queries as two."""

    def queries(first: int, count: int) -> int:
        cases = [case_make(model=f"model-{count}", batch=batch) for batch in range(1, count + 1)]
        for ordinal in range(first, first + 7):
            values_report(job_make(build_make(project, ordinal), *cases), {"latency_p50": QUIET[ordinal % 8]})
            with CaptureQueriesContext(connection) as found:
                reports_screen()
        return len(found)

    assert queries(1, 2) == queries(11, 100)


def test_a_late_point_joins_what_later_ones_are_judged_by(project):
    history_make(project, level(20, seed=11))
    gap = build_make(project, 21, state="skipped")
    history_make(project, level(3, seed=12), first=22)
    reports_screen()
    values_report(job_make(gap), {"latency_p50": 1.01})
    reports_screen()
    assert SeriesState.objects.get().screen == {}
    history_make(project, [1.0], first=25)
    reports_screen()
    assert Memory.places_of(SeriesState.objects.get().screen) == list(range(1, 26))
    assert not Report.objects.filter(screened_at=None).exists()


def test_a_level_that_stays_although_refuted_is_the_level(project):
    """A slower machine: it is asked about a few times, then later builds are judged against it."""
    pushes_screen(project, [*level(30, seed=13), *level(26, seed=14, at=1.12)], ratio=1.0)
    assert not Suspicion.objects.filter(state="open").exists()
    asked = Suspicion.objects.count()
    assert 1 <= asked <= 3
    assert SeriesState.objects.get().level_start == pytest.approx(31, abs=2)
    pushes_screen(project, level(4, seed=15, at=1.25), first=57, ratio=1.25 / 1.12)
    assert Suspicion.objects.count() == asked + 1
    found = Suspicion.objects.order_by("-id").first()
    assert found.build.ordinal == 57
    assert found.evidence["before"] == pytest.approx(1.12, rel=0.02)


def test_a_lasting_level_that_no_comparison_confirmed_is_compared_whole(project):
    """A creep: neighbours are alike, the newest build and the last good one are not."""
    values = [*level(30, seed=13), *(np.linspace(1.0, 1.1, 31)[1:] * level(30, seed=14)).tolist()]
    pushes_screen(project, values, ratio=1.0, whole=1.05)
    assert not Suspicion.objects.filter(state="open").exists()
    again = Suspicion.objects.filter(evidence__has_key=AGAIN).order_by("id").first()
    assert again is not None
    before = Suspicion.objects.get(build=again.evidence[AGAIN])
    assert before.base.ordinal < before.build.ordinal < again.build.ordinal
    assert again.build == again.trigger.run.build
    assert again.base.ordinal < before.build.ordinal
    assert again.job.spec["base"] == again.base_id
    assert [row.kind for row in Verdict.objects.filter(build=before.build, stage="confirmation")] == ["same"]
    regression = Regression.objects.get(build=again.build)
    assert regression.incident.build == again.build
    assert regression.incident.range_start == again.base
    other = project_make()
    pushes_screen(other, values, ratio=1.0, whole=1.05, forget=True)
    assert decided(other) == decided(project)


SAME = ("project_id", "branch", "device_class", "split", "model", "runner", "precision", "shape", "suite")


def test_a_whole_level_has_a_comparison_of_its_own(project):
    """Another series of the newest build is held against the build before; that base would show nothing."""
    pushes_screen(project, [*level(30, seed=13), *level(26, seed=14, at=1.12)])
    again = Suspicion.objects.filter(evidence__has_key=AGAIN).order_by("id").first()
    assert again is not None
    near = Build.objects.get(project=project, ordinal=again.build.ordinal - 1)
    fields = {name: getattr(again.series, name) for name in SAME}
    tail = Series.objects.create(key="of the tail", metric="latency_p90", **fields)
    Suspicion.objects.filter(pk=again.pk).update(state="open", job=None, settled_at=None)
    told = {name: value for name, value in again.evidence.items() if name != AGAIN}
    beside = Suspicion.objects.create(
        series=tail, build=again.build, base=near, trigger=again.trigger, evidence=told
    )
    Job.objects.filter(pk=again.job_id).update(state="cancelled")  # its answer would be taken
    assert suspicions_order() == 2
    again.refresh_from_db()
    beside.refresh_from_db()
    assert again.job != beside.job
    assert again.job.spec["base"] == again.base_id
    assert beside.job.spec["base"] == near.pk


def test_the_projects_rule_holds_and_is_written_down(project):
    assert rule_of(project_id=project.pk) == Rule()
    RuleChange.objects.create(project=project, parameters={"score": 3.5, "relevant": {"latency_p50": 0.3}})
    history_make(project, [*level(30, seed=16), *level(6, seed=17, at=1.2)])
    reports_screen()
    assert not Suspicion.objects.exists()
    RuleChange.objects.create(project=project, parameters={"score": 3.5, "relevant": {}})
    history_make(project, [1.2], first=37)
    reports_screen()
    evidence = Suspicion.objects.get().evidence
    assert evidence["parameters"] == evidence["parameters"] | {
        "score": 3.5,
        "relevant": 0.03,
        "better": "lower",
    }
    assert evidence["detector"] == "online/2"
    assert evidence["relative_low"] < evidence["relative"] < evidence["relative_high"]


@pytest.mark.parametrize(
    ("relevant", "told"),
    [
        ({"cnn/torch/*/*:latency_p50": 0.3}, None),
        ({"cnn/onnxruntime/*/*:latency_p50": 0.3}, 0.03),
        ({"latency_p50": 0.3, "cnn/**:latency_p50": 0.04}, 0.04),
        ({"latency_p50": 0.01, "cnn/**:latency_p50": 0.3}, None),
    ],
)
@pytest.mark.parametrize("quiet", [12, 30])
def test_the_rule_of_a_case_holds_for_its_series(project, relevant, told, quiet):
    """A young level is judged by windows, an old one online."""
    project.rule_changes.create(parameters={"relevant": relevant})
    history_make(project, [*level(quiet, seed=16), *level(6, seed=17, at=1.2)])
    reports_screen()
    found = [row.evidence["parameters"]["relevant"] for row in Suspicion.objects.all()]
    assert found == ([] if told is None else [told])


@pytest.mark.parametrize(("pattern", "verdicts"), [("cnn/torch/*/*", 0), ("bert/**", 1)])
def test_the_rule_of_a_case_holds_for_a_counted_metric(project, pattern, verdicts):
    project.rule_changes.create(parameters={"relevant": {f"{pattern}:model_size": 0.5}})
    history_make(project, [1e6, 1e6, 1.2e6], metric="model_size")
    reports_screen()
    assert Verdict.objects.filter(kind="regressed").count() == verdicts


def test_an_unstable_point_of_an_old_level_is_left_out(project):
    history_make(project, level(30, seed=18))
    for ordinal in (31, 32, 33):
        values_report(job_make(build_make(project, ordinal)), {"latency_p50": 1.5}, unstable=True)
    history_make(project, [1.0], first=34)
    reports_screen()
    assert not Suspicion.objects.exists()
    said = Verdict.objects.filter(kind="unknown", build__ordinal__gt=30)
    assert said.count() == 3
    assert "marked unstable" in said[0].sentence


def test_a_soak_is_judged_in_its_turn_and_nobody_waits_for_it(project):
    """Hours of an earlier build's soak hold back the soaks behind it, not the measurements."""
    soak = case_make(suite="soak", duration_s=60.0)
    builds = [build_make(project, ordinal) for ordinal in (1, 2, 3)]
    soaks = [job_make(build, soak, kind="soak") for build in builds]
    values_report(soaks[0], {"leaks": 0.0})
    measured = values_report(job_make(builds[2]), {"latency_p50": 1.0})
    ahead = values_report(soaks[2], {"leaks": 0.0})
    reports_screen()
    measured.refresh_from_db()
    ahead.refresh_from_db()
    assert measured.screened_at is not None
    assert ahead.screened_at is None
    values_report(soaks[1], {"leaks": 1.0})
    reports_screen()
    moved = Verdict.objects.filter(series__suite="soak").exclude(kind="unknown").order_by("build__ordinal")
    assert list(moved.values_list("build__ordinal", "kind")) == [(2, "regressed"), (3, "improved")]
