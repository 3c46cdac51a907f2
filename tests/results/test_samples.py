"""Raw samples of a span: bounded builds, bounded samples, and what kept none is left out."""

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from perfsite.results import samples
from perfsite.results.models import Artifact, Series
from perfsite.results.samples import samples_read, samples_span
from perfsite.results.services import report_store
from perfsite.runs.models import Project
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.reports import report_make

pytestmark = pytest.mark.django_db
BUILDS, SAMPLES = 6, 25


@pytest.fixture
def series() -> Series:
    project: Project = project_make(slug="zoo", is_public=True)
    worker = worker_make("bench-1")
    for ordinal in range(1, BUILDS + 1):
        job = job_make(build_make(project, ordinal), case_make(suite="latency"))
        token = claim(worker).token
        body = report_make(job, {"latency_p50": 0.004}, n=SAMPLES)
        kept = tuple(0.004 + ordinal * 1e-5 + (7 * place % SAMPLES) * 1e-6 for place in range(SAMPLES))
        rows = tuple(row.model_copy(update={"samples": kept}) for row in body.measurements)
        body = body.model_copy(update={"measurements": rows})
        report_store(token=token, body=body, raw=body.model_dump_json().encode())
    return Series.objects.get(metric="latency_p50")


def test_the_samples_of_a_span_are_those_of_its_reports_in_branch_order(series):
    found = samples_span(series=series, first=2, last=4)
    assert [row.ordinal for row in found] == [2, 3, 4]
    for row in found:
        whole = sorted(samples_read(series=series, build_id=row.build_id))
        assert (row.n, row.samples) == (len(whole), whole)
        assert whole


def test_more_builds_than_are_read_give_the_newest_and_the_queries_stay_few(series, monkeypatch):
    with CaptureQueriesContext(connection) as one:
        samples_span(series=series, first=1, last=1)
    monkeypatch.setattr(samples, "BUILDS_MOST", 4)
    with CaptureQueriesContext(connection) as all_of_them:
        found = samples_span(series=series, first=0, last=99)
    assert [row.ordinal for row in found] == [3, 4, 5, 6]
    assert len(all_of_them) == len(one)


def test_many_samples_are_thinned_evenly_with_both_ends(series, monkeypatch):
    whole = samples_span(series=series, first=1, last=1)[0]
    monkeypatch.setattr(samples, "SAMPLES_MOST", 3)
    (row,) = samples_span(series=series, first=1, last=1)
    assert row.n == whole.n > 3
    assert row.samples == [whole.samples[0], whole.samples[round((whole.n - 1) / 2)], whole.samples[-1]]


def test_a_build_whose_report_is_gone_or_damaged_is_left_out(series):
    first, second = Artifact.objects.filter(job__points__series=series).order_by("job_id")[:2]
    first.file.delete(save=False)
    Path(second.file.path).write_bytes(b"no gzip")
    assert [row.ordinal for row in samples_span(series=series, first=1, last=9)] == [3, 4, 5, 6]


def test_the_api_tells_them_to_whoever_may_read_the_series(series, client):
    address = f"/api/v1/series/{series.pk}/samples"
    rows = client.get(address, {"first": 5}).json()
    assert [row["ordinal"] for row in rows] == [5, 6]
    assert rows[0]["samples"] == sorted(rows[0]["samples"])
    series.project.is_public = False
    series.project.save()
    assert client.get(address).status_code in (401, 404)
