"""A generated history: the same seed gives the same rows, and they keep every rule of the models."""

import gzip
from statistics import median

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from benchmarks.report import Report as Sent
from benchmarks.soak_readings import SoakReadings
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.results.artifacts import REPORT_NAME
from perfsite.results.models import Artifact, Measurement, Report, Series
from perfsite.results.samples import samples_read
from perfsite.results.series import series_key
from perfsite.runs.cases import cases_of
from perfsite.runs.models import Job, Project
from tests.factories import build_make, project_make

pytestmark = pytest.mark.django_db
UNTIL = "2026-11-28T12:00+00:00"


def values_of(slug: str) -> list[tuple]:
    rows = Measurement.objects.filter(series__project__slug=slug).order_by("series_id", "ordinal")
    return list(rows.values_list("ordinal", "value", "ci_low", "ci_high", "unstable"))


def generate(slug: str, seed: int, *, series: int = 60, builds: int = 130, samples: int = 0) -> None:
    options = {"series": series, "builds": builds, "seed": seed, "project": slug, "until": UNTIL}
    options["samples"] = samples
    call_command("generate_history", **options)


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    for slug, seed in (("one", 7), ("two", 7), ("three", 8)):
        generate(slug, seed)
    assert values_of("one") == values_of("two")
    assert values_of("one") != values_of("three")
    assert len(values_of("one")) == 60 * 130


def test_what_is_stored_keeps_the_rules_of_the_models():
    generate("zoo", 3)
    connection.check_constraints()
    series = Series.objects.filter(project__slug="zoo")
    assert len(series) == 60
    fields = ("branch", "device_class", "split", "model", "runner", "precision", "shape", "suite", "metric")
    for row in series:
        row.full_clean(validate_unique=False)
        wanted = {name: getattr(row, name) for name in fields}
        assert row.key == series_key(project_id=row.project_id, fields=wanted)
    job = Job.objects.first()
    assert {case.model for case in cases_of(job.spec)} == {job.model}
    soaks = [job for job in Job.objects.all() if cases_of(job.spec)[0].suite == "soak"]
    with_points = Report.objects.filter(job__points__isnull=False).distinct().count()
    assert with_points == Job.objects.count() - len(soaks)
    # a point's job, build and series tell the same thing
    point = Measurement.objects.select_related("series", "build", "job__run").order_by("?").first()
    assert point.job.run.build_id == point.build_id
    assert point.ordinal == point.build.ordinal
    assert (point.job.model, point.job.device_class) == (point.series.model, point.series.device_class)


def test_a_change_that_made_something_worse_is_an_incident():
    generate("zoo", 3, series=100, builds=300)
    worse = Verdict.objects.filter(kind="regressed")
    assert worse.exists()
    assert Regression.objects.count() == worse.count()
    assert set(Incident.objects.values_list("build_id", flat=True)) == set(
        worse.values_list("build_id", flat=True)
    )


def test_the_next_row_made_by_the_site_gets_an_id_of_its_own():
    generate("zoo", 3)
    build_make(project_make(slug="other"), 1)
    assert Project.objects.count() == 2


@pytest.mark.parametrize("wrong", [{"series": 0}, {"series": 10**6}, {"builds": 3}, {"until": "tomorrow"}])
def test_a_size_out_of_range_is_refused_in_a_sentence(wrong):
    with pytest.raises(CommandError, match=r"\.$"):
        call_command("generate_history", **{"until": UNTIL, **wrong})


def test_a_project_that_exists_is_left_alone():
    project_make(slug="zoo")
    with pytest.raises(CommandError, match="another one"):
        generate("zoo", 1)


def test_the_newest_builds_and_those_of_a_change_keep_samples_around_their_values():
    generate("zoo", 3, samples=2)
    newest = Measurement.objects.filter(series__metric="latency_p50").order_by("-ordinal").first()
    found = samples_read(series=newest.series, build_id=newest.build_id)
    assert len(found) == 200
    assert median(found) == pytest.approx(newest.value, rel=0.001)
    moved = Verdict.objects.filter(series__metric="gpu_compute_time_p50").order_by("-build_id").first()
    for build_id in (moved.base_id, moved.build_id):
        assert samples_read(series=moved.series, build_id=build_id)
    oldest = newest.series.points.order_by("ordinal").first()
    assert samples_read(series=newest.series, build_id=oldest.build_id) == []
    for file in Artifact.objects.filter(name=REPORT_NAME)[:5]:
        body = Sent.model_validate_json(gzip.decompress(file.file.read()))
        assert {case.model for case in cases_of(file.job.spec)} == {body.model}


def test_three_soaks_have_a_course_that_their_page_draws():
    generate("zoo", 3)
    files = Artifact.objects.filter(name__startswith="soak-")
    found = [SoakReadings.model_validate_json(file.file.read()) for file in files]
    assert len(found) == 3
    leaks = [row.verdict for one in found for row in one.counters if row.name == "gpu_allocated"]
    assert sorted(leaks) == ["leak", "steady", "steady"]
    assert sorted(round(one.drift, 2) for one in found)[0] == pytest.approx(-0.11, abs=0.01)
