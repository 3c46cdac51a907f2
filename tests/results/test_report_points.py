"""Points of a suite, options, older formats: what a report may tell besides the cases that were ordered."""

import gzip
import json

import pytest

from benchmarks.report import CanaryReading, Measurement, Reading, Remark, Report
from perfsite.results.metrics import metric_is_judged, metric_row
from perfsite.results.models import Artifact, Series
from perfsite.results.models import Measurement as Point
from perfsite.results.selectors import series_find
from perfsite.results.services import ReportMismatchError, report_store
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.reports import measured_make, report_make

pytestmark = pytest.mark.django_db

SWEEP = case_make(suite="sweep", options={"largest_size": 512})
LARGE = SWEEP.at(batch=8)
LATENCY = case_make()


@pytest.fixture(autouse=True)
def artifacts_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def job():
    return job_make(build_make(project_make(), 3), SWEEP, LARGE, LATENCY)


def points(job, **more) -> Report:
    """A report that tells of three sizes for each sweep, as the suite does."""
    told = tuple(
        measured_make(case.at(size=size), "latency_p50", size * 1e-5)
        for case in (SWEEP, LARGE)
        for size in (224, 384, 512)
    )
    body = report_make(job, {"latency_p50": 0.01}, **more)
    return body.model_copy(update={"measurements": (*body.measurements, *told)})


def send(job, body: Report, raw: bytes | None = None) -> None:
    assert report_store(
        token=claim(worker_make()).token, body=body, raw=raw or body.model_dump_json().encode()
    )


def test_each_point_has_a_series_of_its_own(job):
    send(job, points(job))
    shapes = set(Series.objects.filter(suite="sweep").values_list("shape", flat=True))
    assert {f"b{batch},largest_size=512,size={size}" for batch in (1, 8) for size in (224, 384, 512)} < shapes
    assert Point.objects.get(series__shape="b8,largest_size=512,size=384").value == pytest.approx(0.00384)


def test_series_are_made_in_one_order_whatever_the_reports(job):
    """Two reports at once that made the same ones in different orders would wait for each other."""
    body = points(job)
    send(job, body.model_copy(update={"measurements": body.measurements[::-1]}))
    made = list(Series.objects.order_by("key").values_list("id", flat=True))
    assert len(made) > 2
    assert made == sorted(made)


def test_a_doubt_about_a_case_is_one_about_its_points_and_no_others(job):
    send(job, points(job, remarks=(Remark(code="x", sentence="Busy.", unstable=True, case=LARGE),)))
    marked = Point.objects.filter(unstable=True).values_list("series__shape", flat=True)
    assert set(marked) == {"b8,largest_size=512", *(f"b8,largest_size=512,size={n}" for n in (224, 384, 512))}


def test_a_doubt_about_a_point_is_one_about_that_point(job):
    doubt = Remark(code="x", sentence="Busy.", unstable=True, case=SWEEP.at(size=384))
    send(job, points(job, remarks=(doubt,)))
    assert Point.objects.get(unstable=True).series.shape == "b1,largest_size=512,size=384"


@pytest.mark.parametrize(
    "strange",
    [
        SWEEP.model_copy(update={"duration_s": 9.0}),
        case_make(suite="memory"),
        case_make(runner="onnxruntime"),
    ],
    ids=["longer", "another suite", "another runner"],
)
def test_a_case_that_no_order_can_have_led_to_is_refused(job, strange):
    body = report_make(job, {"latency_p50": 0.01})
    told = (*body.measurements, measured_make(strange, "latency_p50", 1.0))
    with pytest.raises(ReportMismatchError, match="1 cases that"):
        send(job, body.model_copy(update={"measurements": told}))
    assert not Point.objects.exists()


def test_a_shape_that_no_series_can_hold_is_refused_in_words():
    options = {f"provider.name_{number}": "v" * 60 for number in range(3)}
    case = case_make(runner="onnxruntime", options=options)
    job = job_make(build_make(project_make(), 1), case)
    with pytest.raises(ReportMismatchError, match="at most 200 characters; use fewer options"):
        send(job, report_make(job, {"latency_p50": 0.01}))


def without_options(value):
    if isinstance(value, dict):
        return {key: without_options(part) for key, part in value.items() if key != "options"}
    return [without_options(part) for part in value] if isinstance(value, list) else value


def test_a_report_of_format_1_is_stored():
    job = job_make(build_make(project_make(), 1), LATENCY)
    plain = without_options(report_make(job, {"latency_p50": 0.01}).model_dump(mode="json"))
    plain["format"] = 1
    for name in ("readings", "canary"):
        del plain[name]
    for name in ("evaluate", "evaluate_lower"):
        del plain["source"][name]
    raw = json.dumps(plain).encode()
    send(job, Report.model_validate_json(raw), raw)
    assert Point.objects.get().series.shape == "b1"


def test_an_order_from_before_there_were_options_takes_a_report():
    job = job_make(build_make(project_make(), 1), LATENCY)
    job.spec = without_options(job.spec)
    job.save()
    send(job, report_make(job, {"latency_p50": 0.01}))
    assert Point.objects.count() == 1


def test_readings_and_canary_are_kept_with_the_body():
    job = job_make(build_make(project_make(), 1), LATENCY)
    reading = Reading(case=LATENCY, at_s=0.5, values={"sm_clock": 1.98e9, "power": None})
    canary = CanaryReading(when="before", clock="gpu", seconds=1e-3, n=15)
    send(job, report_make(job, {"latency_p50": 0.01}, readings=(reading,), canary=(canary,)))
    body = Report.model_validate_json(gzip.decompress(Artifact.objects.get(kind="report").file.read()))
    assert (body.format, body.readings, body.canary) == (2, (reading,), (canary,))


def test_a_repositorys_own_metric_has_a_series_and_a_direction():
    case = case_make(suite="evaluate")
    job = job_make(build_make(project_make(), 1), case)
    told = tuple(
        Measurement(case=case, metric=f"evaluate.{better}.{'n' * 40}", value=0.5, unit="1")
        for better in ("lower", "higher")
    )
    body = report_make(job, {}).model_copy(update={"measurements": told})
    send(job, body)
    assert set(Series.objects.values_list("metric", flat=True)) == {one.metric for one in told}
    assert all(metric_is_judged(one.metric) for one in told)


def test_what_is_judged_is_listed_before_what_describes():
    job = job_make(build_make(project_make(), 1), LATENCY)
    names = ("cpu_utilisation", "latency_cv", "latency_p50", "throughput")
    send(job, report_make(job, dict.fromkeys(names, 0.5)))
    found = [row.metric for row in series_find(project=job.run.build.project)]
    assert found == ["latency_p50", "throughput", "cpu_utilisation", "latency_cv"]


def test_a_metric_of_another_release_is_no_error():
    assert metric_row("once_upon_a_time") is None
    assert not metric_is_judged("once_upon_a_time")
    assert not metric_is_judged("evaluate.sideways.score")
    assert metric_row("evaluate.higher.score").title == "score"
