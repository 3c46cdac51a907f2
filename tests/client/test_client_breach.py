"""`perfsite wait` on a build that breaches a service level and is no change for the worse beside."""

import pytest

from perfsite.regressions.services import reports_screen
from perfsite.results.services import report_store
from tests.client.test_client_commands import perfsite, project  # noqa: F401 - fixtures
from tests.factories import build_make, case_make, claim, job_make, worker_make
from tests.reports import report_make

pytestmark = pytest.mark.django_db(transaction=True)
LEVEL = {"key": "latency_p99 at_most", "metric": "latency_p99", "direction": "at_most", "bound": 0.080}


@pytest.mark.parametrize(("p99", "status"), [(0.0912, 1), (0.079, 0)])
def test_wait_exits_1_by_a_breach_alone(perfsite, project, p99, status):  # noqa: F811
    job = job_make(build_make(project, 1), case_make())
    job.spec["levels"] = [LEVEL]
    job.save()
    body = report_make(job, {"latency_p50": 0.01, "latency_p99": p99})
    report_store(token=claim(worker_make()).token, body=body, raw=body.model_dump_json().encode())
    reports_screen()
    told, out, _ = perfsite("wait", job.run.build.sha, "--timeout", "20")
    assert told == status
    assert ("91.2 ms, over its service level of at most 80.0 ms" in out) == bool(status)
    assert ("/incidents/" in out) == bool(status)
