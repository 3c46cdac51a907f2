"""Reading series: spans, buckets, environments, what came before."""

import pytest
from django.core.cache import cache

from benchmarks.report import Remark
from perfsite.results.models import Environment, Measurement, Report, Series
from perfsite.results.selectors import (
    environment_steps,
    facet_values,
    previous_values,
    recent_values,
    series_buckets,
    series_extent,
    series_find,
    series_points,
    unstable_share,
)
from perfsite.results.services import report_store
from perfsite.runs.models import Build, Worker
from tests.factories import build_make, claim, job_make, project_make, worker_make
from tests.reports import report_make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    """A test's rows are gone when the next one begins, and their ids come again."""
    cache.clear()


def series_make(project, **values) -> Series:
    facts = {"branch": "main", "device_class": "cpu", "split": "", "model": "cnn", "runner": "torch"}
    facts |= {"precision": "fp32", "shape": "b1", "suite": "latency", "metric": "latency_p50"} | values
    return Series.objects.create(project=project, key="/".join(facts.values()), **facts)


@pytest.fixture
def project():
    return project_make()


@pytest.fixture
def job(project):
    return job_make(build_make(project, 1))


def points_add(series, job, values: dict[int, float], **more) -> None:
    for ordinal, value in values.items():
        build = Build.objects.filter(project=series.project, ordinal=ordinal).first()
        Measurement.objects.create(
            series=series,
            ordinal=ordinal,
            value=value,
            job=job,
            build=build or build_make(series.project, ordinal),
            **more,
        )


def test_words_and_facets_narrow_the_list(project):
    latency = series_make(project)
    memory = series_make(project, metric="host_peak_memory", suite="memory")
    series_make(project, model="bert", precision="fp16")
    assert set(series_find(project=project, text="cnn")) == {latency, memory}
    assert list(series_find(project=project, text="cnn/torch p50")) == [latency]
    assert list(series_find(project=project, facets={"suite": "memory", "model": ""})) == [memory]
    assert not series_find(project=project, text="cnn fp16")


def test_a_facet_that_is_none_is_not_a_column(project):
    series_make(project)
    assert series_find(project=project, facets={"project__secret": "x"}).count() == 1


def test_facets_are_those_of_the_project(project):
    series_make(project)
    series_make(project, model="bert")
    series_make(project_make(), model="elsewhere")
    assert facet_values(project=project)["model"] == ["bert", "cnn"]
    assert facet_values(project=project_make()) == {}


def test_points_come_in_branch_order_with_their_commits(project, job):
    series = series_make(project)
    points_add(series, job, {3: 3.0, 1: 1.0, 2: 2.0})
    rows = series_points(series=series)
    assert [row.value for row in rows] == [1.0, 2.0, 3.0]
    assert rows[0].run_id == job.run_id
    assert rows[0].subject == "commit 1"
    assert [row.ordinal for row in series_points(series=series, first=2, last=2)] == [2]
    assert series_extent(series=series) == (1, 3, 3)
    assert series_extent(series=series_make(project, model="empty")) == (None, None, 0)


@pytest.mark.parametrize("buckets", [1, 3, 7, 50])
def test_buckets_hold_every_point_once(project, job, buckets):
    series = series_make(project)
    values = {ordinal: float((ordinal * 37) % 11) for ordinal in range(5, 45) if ordinal % 6}
    points_add(series, job, values)
    rows = series_buckets(series=series, first=5, last=44, buckets=buckets)
    assert len(rows) <= buckets
    assert sum(row.n for row in rows) == len(values)
    for row in rows:
        inside = [value for ordinal, value in values.items() if row.first <= ordinal <= row.last]
        assert (row.low, row.high, row.n) == (min(inside), max(inside), len(inside))
        assert row.mean == pytest.approx(sum(inside) / len(inside))


def test_recent_values_reach_back_from_the_newest_of_all(project, job):
    one, other, empty = (series_make(project, model=name) for name in ("one", "other", "empty"))
    points_add(one, job, {1: 1.0, 9: 9.0, 10: 10.0})
    points_add(other, job, {2: 2.0, 8: 8.0})
    found = recent_values(series=[one, other, empty], builds=3)
    assert found == {one.pk: [(9, 9.0), (10, 10.0)], other.pk: [(8, 8.0)], empty.pk: []}
    assert recent_values(series=[]) == {}


def test_the_value_before_is_the_nearest_one_of_its_own_series(project, job):
    one, other = series_make(project, model="one"), series_make(project, model="other")
    points_add(one, job, {1: 1.0, 2: 2.0, 5: 5.0})
    points_add(other, job, {1: 10.0, 4: 40.0, 5: 50.0, 6: 60.0})
    points = [one.points.get(ordinal=5), other.points.get(ordinal=4)]
    assert previous_values(points=points) == {one.pk: 2.0, other.pk: 10.0}
    assert previous_values(points=[]) == {}


def test_unstable_share_is_counted_by_the_reports(project):
    worker_make()
    for ordinal in (1, 2, 3, 4):
        job = job_make(build_make(project, ordinal))
        doubt = Remark(code="throttled", sentence="The clock fell.", unstable=ordinal == 4)
        body = report_make(job, {"latency_p50": 0.004, "latency_cv": 0.01}, remarks=(doubt,))
        report_store(token=claim(Worker.objects.get()).token, body=body, raw=b"{}")
    report = Report.objects.get(job=job)
    assert (report.points, report.judged, report.unstable) == (2, 1, 2)
    assert unstable_share(project=project, ordinals=[1, 2, 3, 4]) == 0.25
    assert unstable_share(project=project, ordinals=[77]) is None


def test_an_environment_that_comes_back_is_a_step_too(project):
    series = series_make(project)
    old, new = (
        Environment.objects.create(sha256=name, facts={"driver": name}, split="") for name in ("570", "580")
    )
    worker = worker_make()
    for ordinal, environment in enumerate((old, old, new, new, old), 1):
        job = job_make(build_make(project, ordinal))
        Report.objects.create(job=job, attempt=claim(worker), environment=environment, kind="measure")
        points_add(series, job, {ordinal: 1.0})
    steps = environment_steps(series=series)
    assert [(at, before.sha256, after.sha256) for at, before, after in steps] == [
        (3, "570", "580"),
        (5, "580", "570"),
    ]
