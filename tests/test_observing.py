"""Health that tells the truth, metrics of rows and requests, log lines with ids."""

import json
import logging

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from structlog.contextvars import clear_contextvars

from perfsite import gauges
from perfsite.core.logs import logging_settings
from perfsite.health import CHECKS
from perfsite.results.services import report_store
from perfsite.runs.models import Job, SiteStart, Worker
from perfsite.runs.tasks import sweep
from tests.factories import build_make, claim, job_make, project_make, worker_make
from tests.reports import report_make

pytestmark = pytest.mark.django_db


def scraped(client, **headers) -> dict[tuple, float]:
    gauges.gauges_forget()
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples
    }


def test_ready_tells_which_part_is_missing(client, settings, tmp_path, caplog):
    settings.MEDIA_ROOT = tmp_path
    answer = client.get("/readyz")  # nobody is at the tests' broker
    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "degraded")
    assert told["checks"]["database"] == told["checks"]["migrations"] == told["checks"]["artifacts"] == "ok"
    assert told["checks"]["broker"] == CHECKS["broker"].sentence
    assert told["checks"]["schedule"] == CHECKS["schedule"].sentence
    assert "not ready: broker: ConnectionError: Error 111" in caplog.text
    assert "no sweep has run yet" in caplog.text
    SiteStart.objects.create(pk=1)
    sweep()
    assert client.get("/readyz").json()["checks"]["schedule"] == "ok"
    SiteStart.objects.update(swept_at=timezone.now() - timezone.timedelta(hours=1))
    assert client.get("/readyz").json()["checks"]["schedule"] == CHECKS["schedule"].sentence
    assert "the last sweep was 3600 s ago" in caplog.text


def test_alive_without_a_database_but_not_ready(client, settings, tmp_path, caplog):
    """Else Kubernetes would restart every pod of a site whose database is away for a minute."""
    settings.MEDIA_ROOT = tmp_path

    def away(execute, sql, params, many, context):
        raise OperationalError('connection to "db.internal" (10.1.2.3) failed for user "perfsite"')

    with connection.execute_wrapper(away):
        alive, ready = client.get("/healthz"), client.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()["status"]) == (503, "broken")
    assert ready.json()["checks"]["database"] == CHECKS["database"].sentence
    assert "10.1.2.3" in caplog.text
    for secret in ("10.1.2.3", "db.internal", "OperationalError", str(tmp_path)):
        assert secret not in ready.content.decode()


def test_not_ready_without_room_for_artifacts(client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "a-file" / "below"
    (tmp_path / "a-file").write_bytes(b"")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "broken")


def test_metrics_count_what_is_there(client):
    build = build_make(project_make(slug="zoo"), 1)
    job_make(build)
    job_make(build, device_class="h100")
    worker = worker_make("w1")
    claim(worker)
    Worker.objects.update(telemetry={"gpu_temperature": 61.0, "gpu_power": None, "made-up": 1.0})
    client.get("/projects/zoo/")
    told = scraped(client)
    jobs = ("kind", "measure")
    assert told["perfsite_jobs", ("device_class", "cpu"), jobs, ("state", "running")] == 1
    assert told["perfsite_jobs", ("device_class", "h100"), jobs, ("state", "queued")] == 1
    assert 0 <= told["perfsite_queue_oldest_seconds", ("device_class", "h100")] < 60
    assert told["perfsite_attempts_recent", ("state", "running")] == 1
    who = (("device", "cpu-1"), ("device_class", "cpu"))
    assert told["perfsite_device_reading", *who, ("reading", "gpu_temperature"), ("worker", "w1")] == 61.0
    assert not [key for key in told if ("reading", "gpu_power") in key or ("reading", "made-up") in key]
    asked = (("method", "GET"), ("status", "302"), ("view", "project"))
    assert told["perfsite_request_seconds_count", *asked] >= 1
    Job.objects.update(state="failed", failure_kind="timeout")
    assert scraped(client)["perfsite_jobs_ended_recent", ("failure", "timeout"), ("state", "failed")] == 2


def test_the_canary_of_each_workers_newest_report_is_a_gauge(client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    worker = worker_make("w1")
    for number, seconds in enumerate((0.010, 0.012), start=1):
        job_make(build_make(project_make(), number))
        attempt = claim(worker)
        canary = ({"when": "before", "clock": "cpu", "seconds": seconds, "n": 5},)
        body = report_make(attempt.job, {"latency_p50": 0.01}, canary=canary)
        assert report_store(token=attempt.token, body=body, raw=body.model_dump_json().encode())
    told = {key: value for key, value in scraped(client).items() if key[0] == "perfsite_canary_seconds"}
    labels = {"clock": "cpu", "device": "cpu-1", "device_class": "cpu", "when": "before", "worker": "w1"}
    assert told == {("perfsite_canary_seconds", *sorted(labels.items())): 0.012}
    who = {"against": "itself", "device": "cpu-1", "device_class": "cpu", "worker": "w1"}
    change = scraped(client)["perfsite_canary_change", *sorted(who.items())]
    assert change == pytest.approx(0.011 / 0.010 - 1)  # the median of all against the older half's


def test_metrics_are_not_for_everybody(client, settings):
    settings.METRICS_TOKEN = "scrape-me"
    away = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/metrics", **away).status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}, **away).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer scrape-me"}, **away).status_code == 200


def test_a_log_line_is_one_json_object_with_its_ids():
    clear_contextvars()
    settings = logging_settings(level="INFO", form="json")
    formatter = settings["formatters"]["json"]
    made = formatter["()"](**{name: value for name, value in formatter.items() if name != "()"})
    record = logging.LogRecord("perfsite.runs", logging.INFO, "", 0, "job %s", ("claimed",), None)
    record.job, record.attempt = 7, 2
    told = json.loads(made.format(record))
    assert (told["event"], told["job"], told["attempt"], told["level"]) == ("job claimed", 7, 2, "info")
    plain = logging_settings(level="INFO", form="line")["formatters"]["line"]
    made = plain["()"](**{name: value for name, value in plain.items() if name != "()"})
    assert made.format(record).endswith("INFO    perfsite.runs: job claimed [job=7 attempt=2]")
