"""A worker's user at a real Redis: woken by the site, refused everything of the site's."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis
from celery import Celery
from django.core.management import call_command

from perfsite.core import publish
from perfsite.core.broker_acl import COMMANDS, USER, acl_apply, acl_line, worker_url
from perfsite.core.errors import PerfsiteError
from perfsite.embedded.broker import server_find
from perfsite.embedded.ports import port_free
from workers.messages import WAKE_PREFIX, WAKE_TASK

SECRET, SITE_SECRET = "of-the-worker", "of-the-site"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path):
    """A Redis of the test's own, with a password."""
    port = port_free(0)
    process = subprocess.Popen(
        [server_find(), "--port", str(port), "--bind", "127.0.0.1", "--requirepass", SITE_SECRET,
         "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"redis://:{SITE_SECRET}@127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            threading.Event().wait(0.05)
    yield url
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture
def wake(server, monkeypatch):
    """The site's own way to send, to this server."""
    for name in ("_site", "_workers"):
        app = Celery("site", set_as_current=False)
        app.conf.update({**getattr(publish, name).conf, "broker_url": server})
        monkeypatch.setattr(publish, name, app)
    return publish.wake


def worker_client(server: str) -> redis.Redis:
    return redis.Redis.from_url(worker_url(url=server, secret=SECRET))


def test_the_workers_user_is_refused_the_sites_queues(server, wake):
    acl_apply(url=server, secret=SECRET)
    site, worker = redis.Redis.from_url(server), worker_client(server)
    assert wake("runs.plan")
    assert wake(WAKE_TASK, queue="gpu.cpu")
    assert site.llen("site") == 1
    assert worker.llen(f"{WAKE_PREFIX}gpu.cpu") == 1  # its own it may
    for call in (
        lambda: worker.llen("site"), lambda: worker.brpop("site", 1), lambda: worker.lpush("site", "forged"),
        lambda: worker.lrange("site", 0, -1), lambda: worker.delete("site"),
        lambda: worker.hset("unacked", "tag", "forged"), lambda: worker.smembers("_kombu.binding.site"),
        lambda: worker.keys(), lambda: worker.scan(), lambda: worker.randomkey(), lambda: worker.flushall(),
        lambda: worker.config_get(), lambda: worker.client_list(), lambda: worker.acl_list(),
        lambda: worker.publish("any", "x"), lambda: worker.info(),
        lambda: worker.eval("return redis.call('llen', KEYS[1])", 1, "site"),
        lambda: worker.eval("return redis.call('llen', 'site')", 0),
    ):  # fmt: skip
        with pytest.raises(
            (redis.exceptions.NoPermissionError, redis.ResponseError), match=r"(?i)permission|access"
        ):
            call()
    assert site.llen("site") == 1


def test_every_key_of_a_wake_up_is_under_the_prefix(server, wake):
    assert wake(WAKE_TASK, queue="gpu.cpu")
    keys = {key.decode() for key in redis.Redis.from_url(server).scan_iter()}
    assert f"{WAKE_PREFIX}gpu.cpu" in keys
    assert all(key.startswith(WAKE_PREFIX) for key in keys)


def test_a_real_worker_wakes_with_it_and_nothing_is_denied(server, wake, tmp_path):
    acl_apply(url=server, secret=SECRET)
    program = (
        "import sys, os; from workers.tasks import wakeups_consume\n"
        "say = lambda word: (sys.stdout.write(word), sys.stdout.flush())\n"
        "wakeups_consume(broker=os.environ['BROKER'], queue='gpu.cpu', worker='one',"
        " on_wake=lambda: say('woken\\n'), on_ready=lambda: say('ready\\n'))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "BROKER": worker_url(url=server, secret=SECRET), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert process.stdout.readline() == "ready\n"
        for _ in range(3):
            assert wake(WAKE_TASK, queue="gpu.cpu")
            assert process.stdout.readline() == "woken\n"
    finally:
        guard.cancel()
        process.kill()
        process.wait()
    site = redis.Redis.from_url(server)
    assert site.llen(f"{WAKE_PREFIX}gpu.cpu") == 0
    denied = {row["object"] for row in site.execute_command("ACL LOG")}
    assert denied <= {"client|setinfo"}  # a courtesy of the library that may fail


@pytest.mark.django_db
def test_the_command_prints_the_line_and_makes_the_user(server, settings, monkeypatch):
    settings.REDIS_URL = server
    monkeypatch.setenv("PERFSITE_WORKER_REDIS_PASSWORD", SECRET)
    said, beside = io.StringIO(), io.StringIO()
    call_command("worker", "broker", "--apply", stdout=said, stderr=beside)
    assert said.getvalue().strip() == acl_line(SECRET)
    assert SECRET not in said.getvalue() + beside.getvalue()
    assert "no ACL file" in beside.getvalue()
    assert worker_client(server).ping()


@pytest.mark.django_db
def test_without_a_password_one_is_made_and_shown_once(server, settings, monkeypatch):
    settings.REDIS_URL = server
    monkeypatch.delenv("PERFSITE_WORKER_REDIS_PASSWORD", raising=False)
    said, beside = io.StringIO(), io.StringIO()
    call_command("worker", "broker", "--apply", stdout=said, stderr=beside)
    url = beside.getvalue().rpartition("REDIS_URL=")[2].strip()
    assert url.startswith(f"redis://{USER}:")
    assert redis.Redis.from_url(url).ping()


def test_a_broker_that_is_away_is_a_sentence():
    with pytest.raises(PerfsiteError, match="did not take the worker's user"):
        acl_apply(url=f"redis://127.0.0.1:{port_free(0)}/0", secret=SECRET)


def test_no_command_lists_keys_or_administers():
    assert not set(COMMANDS) & {"keys", "scan", "randomkey", "dbsize", "config", "acl", "flushall", "flushdb"}
