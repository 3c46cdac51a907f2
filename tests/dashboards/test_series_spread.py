"""The remark on a series' page that its values scatter more than they did."""

import numpy as np
import pytest
from django.urls import reverse

from perfsite.regressions.models import Incident, Suspicion
from perfsite.regressions.spreads import spread_remark
from perfsite.results.models import Measurement, Series
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def series(db):
    project = project_make(is_public=True)
    facts = {"branch": "main", "device_class": "cpu", "split": "", "model": "cnn", "runner": "torch"}
    facts |= {"precision": "fp32", "shape": "b1", "suite": "latency", "metric": "latency_p50"}
    made = Series.objects.create(project=project, key="/".join(facts.values()), **facts)
    noise = np.random.default_rng(1).standard_normal(100) * np.where(np.arange(100) < 60, 0.01, 0.03)
    for ordinal, value in enumerate((0.01 * (1 + noise)).tolist(), start=1):
        job = job_make(build_make(project, ordinal), state="done")
        Measurement.objects.create(
            series=made, build=job.run.build, job=job, ordinal=ordinal, value=value, n=1000
        )
    return made


def test_scatter_that_grew_is_told_on_the_page_and_opens_nothing(client, series):
    page = client.get(reverse("series", args=[series.pk])).content.decode()
    remark = spread_remark(series=series)
    assert remark is not None
    assert remark.build.ordinal == pytest.approx(61, abs=6)
    assert f"Since about {remark.build.short} the values scatter" in page
    assert "an instability, not a regression" in page
    assert not Incident.objects.exists()
    assert not Suspicion.objects.exists()


def test_unstable_points_do_not_count_and_steady_ones_get_no_remark(client, series):
    Measurement.objects.filter(ordinal__gt=60).update(unstable=True)
    assert spread_remark(series=series) is None
    assert "scatter" not in client.get(reverse("series", args=[series.pk])).content.decode()


def test_what_is_counted_or_only_describes_has_no_scatter(series):
    for metric in ("model_size", "latency_cv", "nobody_knows"):
        series.metric = metric
        assert spread_remark(series=series) is None
