"""A report becomes rows exactly once, or not at all."""

import hashlib
import uuid
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from benchmarks.report import Remark
from perfsite.core.errors import SupersededError
from perfsite.results.artifacts import DigestMismatchError, artifact_store
from perfsite.results.models import Artifact, Environment, Measurement, Report, Series
from perfsite.results.services import ReportMismatchError, report_store
from perfsite.results.signals import report_stored
from perfsite.runs.models import Attempt
from perfsite.runs.sweep import leases_expire
from tests.factories import build_make, case_make, claim, job_make, project_make, worker_make
from tests.reports import FACTS, report_make

pytestmark = pytest.mark.django_db
VALUES = {"latency_p50": 0.010, "latency_p99": 0.012}


@pytest.fixture(autouse=True)
def artifacts_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def job():
    return job_make(build_make(project_make(), 3), case_make(), case_make(batch=8))


def send(attempt, body):
    return report_store(token=attempt.token, body=body, raw=body.model_dump_json().encode())


def test_a_large_report_asks_no_more_of_the_database_than_a_small_one(django_assert_max_num_queries):
    cases = [case_make(batch=2**place) for place in range(10)]
    build = build_make(project_make(), 1)
    names = ("latency_p50", "latency_p90", "latency_p99", "latency_mean", "throughput")
    for number, most in enumerate((40, 35)):  # the second finds its series
        job = job_make(build_make(build.project, 10 + number), *cases)
        body = report_make(job, dict.fromkeys(names, 1.0))
        attempt = claim(worker_make())
        with django_assert_max_num_queries(most):
            assert send(attempt, body)
    assert Measurement.objects.count() == 100
    assert Series.objects.count() == 50


def test_report_becomes_series_and_points(job, django_capture_on_commit_callbacks):
    heard = []
    report_stored.connect(lambda report_id, **_: heard.append(report_id), weak=False, dispatch_uid="test")
    attempt = claim(worker_make())
    with django_capture_on_commit_callbacks(execute=True):
        assert send(attempt, report_make(job, VALUES))
    job.refresh_from_db()
    assert job.state == "done"
    assert Series.objects.count() == 4
    assert {(p.ordinal, p.value, p.n) for p in Measurement.objects.all()} == {
        (3, 0.010, 1000),
        (3, 0.012, 1000),
    }
    assert Series.objects.filter(shape="b8", metric="latency_p99", split="cpu_model=A processor").exists()
    assert heard == [Report.objects.get().pk]
    assert Artifact.objects.get().kind == "report"
    report_stored.disconnect(dispatch_uid="test")


def test_sent_twice_is_stored_once(job):
    attempt = claim(worker_make())
    body = report_make(job, VALUES)
    assert send(attempt, body)
    assert not send(attempt, body)
    assert Report.objects.count() == 1
    assert Measurement.objects.count() == 4


def test_superseded_attempt_writes_nothing(job):
    first = claim(worker_make("w1"))
    Attempt.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))
    leases_expire()
    second = claim(worker_make("w2"))
    with pytest.raises(SupersededError):
        send(first, report_make(job, VALUES))
    assert not Report.objects.exists()
    assert send(second, report_make(job, VALUES))


def test_late_report_counts_while_nobody_claimed_the_job_again(job):
    attempt = claim(worker_make())
    Attempt.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))
    leases_expire()
    assert send(attempt, report_make(job, VALUES))
    job.refresh_from_db()
    assert job.state == "done"


def test_unknown_token_is_superseded(job):
    body = report_make(job, VALUES)
    with pytest.raises(SupersededError):
        report_store(token=uuid.uuid4(), body=body, raw=b"{}")


def test_report_of_another_order_is_refused_whole(job):
    attempt = claim(worker_make())
    other = job_make(build_make(project_make(), 1), case_make(model="bert"))
    with pytest.raises(ReportMismatchError, match="must report the order it got"):
        send(attempt, report_make(other, VALUES))
    job.refresh_from_db()
    assert job.state == "running"
    assert not Environment.objects.exists()


def test_unstable_remark_marks_its_points_only(job):
    remark = Remark(code="busy", sentence="The CPU was busy.", unstable=True, case=case_make(batch=8))
    send(claim(worker_make()), report_make(job, VALUES, remarks=(remark,)))
    marked = Measurement.objects.filter(unstable=True)
    assert {point.series.shape for point in marked} == {"b8"}


def test_other_processor_starts_other_series(job):
    send(claim(worker_make()), report_make(job, VALUES))
    again = job_make(build_make(job.run.build.project, 4), case_make())
    facts = {**FACTS, "cpu_model": "Another processor"}
    send(claim(worker_make()), report_make(again, VALUES, facts=facts))
    assert Series.objects.filter(shape="b1", metric="latency_p50").count() == 2


def test_other_library_version_stays_in_the_series(job):
    send(claim(worker_make()), report_make(job, VALUES))
    again = job_make(build_make(job.run.build.project, 4), case_make())
    send(claim(worker_make()), report_make(again, VALUES, facts={**FACTS, "torch": "2.14.0"}))
    assert Series.objects.filter(shape="b1", metric="latency_p50").count() == 1
    assert Environment.objects.count() == 2


def test_build_off_the_line_has_a_report_but_no_points(job):
    build = job.run.build
    build.ordinal = None
    build.save()
    send(claim(worker_make()), report_make(job, VALUES))
    assert Report.objects.count() == 1
    assert not Measurement.objects.exists()


def test_reasons_with_nul_are_stored_without_it(job):
    body = report_make(job, VALUES)
    torn = [outcome.model_copy(update={"reason": "a \0 b"}) for outcome in body.outcomes]
    send(claim(worker_make()), body.model_copy(update={"outcomes": tuple(torn)}))
    assert {outcome["reason"] for outcome in Report.objects.get().outcomes} == {"a  b"}


def test_torn_file_of_an_earlier_write_is_not_trusted(job, tmp_path):
    content = b"x" * 1000
    digest = hashlib.sha256(content).hexdigest()
    torn = tmp_path / digest[:2] / digest
    torn.parent.mkdir()
    torn.write_bytes(content[:10])
    attempt = claim(worker_make())
    assert artifact_store(attempt=attempt, name="model.onnx", kind="onnx", content=ContentFile(content))
    assert Artifact.objects.get().file.read() == content


def test_file_of_a_lost_attempt_is_replaced(job):
    first = claim(worker_make("w1"))
    artifact_store(attempt=first, name="job.txt", kind="log", content=ContentFile(b"first"))
    Attempt.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))
    leases_expire()
    second = claim(worker_make("w2"))
    artifact_store(attempt=second, name="job.txt", kind="log", content=ContentFile(b"second"))
    assert Artifact.objects.get().file.read() == b"second"
    with pytest.raises(DigestMismatchError, match="another file"):
        artifact_store(attempt=second, name="job.txt", kind="log", content=ContentFile(b"third"))
