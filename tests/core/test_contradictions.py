"""Settings that are wrong together are told at the start, each in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site

from perfsite.core.contradictions import contradictions

ROOT = Path(__file__).resolve().parents[2]
RIGHT = {
    "HEARTBEAT_SECONDS": 5,
    "LEASE_SECONDS": 60,
    "SWEEP_SECONDS": 10,
    "WEBHOOK_MAX_BYTES": 1,
    "REPORT_MAX_BYTES": 1,
    "ARTIFACT_MAX_BYTES": 1,
    "FETCH_MAX_BYTES": 1,
    "SITE_URL": "https://perf.example.org",
    "ALLOWED_HOSTS": ["localhost", "perf.example.org"],
    "DEBUG": False,
    "REDIS_URL": "rediss://host/0",
}


def test_right_ones_say_nothing():
    assert contradictions(RIGHT) == []
    assert contradictions({**RIGHT, "ALLOWED_HOSTS": [".example.org"]}) == []
    assert contradictions({name: getattr(site, name) for name in RIGHT} | {"ALLOWED_HOSTS": ["*"]}) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"LEASE_SECONDS": 9, "SWEEP_SECONDS": 1}, "less than two heartbeats"),
        ({"SWEEP_SECONDS": 61}, "longer than PERFSITE_LEASE_SECONDS=60"),
        ({"HEARTBEAT_SECONDS": 0}, "PERFSITE_HEARTBEAT_SECONDS=0 is not above 0"),
        ({"REPORT_MAX_BYTES": 2}, "no report could be that large"),
        ({"SITE_URL": "perf.example.org"}, "is no address"),
        ({"SITE_URL": "https://other.example.org"}, "'other.example.org', which PERFSITE_HOSTS does not"),
        ({"ALLOWED_HOSTS": [".xample.org"]}, "which PERFSITE_HOSTS does not"),
        ({"DEBUG": True}, "PERFSITE_DEBUG=1"),
        ({"REDIS_URL": "amqp://host"}, "scheme 'amqp'"),
    ],
)
def test_each_wrong_pair_has_its_sentence(wrong, told):
    (sentence,) = contradictions({**RIGHT, **wrong})
    assert told in sentence


def test_a_site_with_contradictions_does_not_start(tmp_path):
    environment = {
        **os.environ,
        "PERFSITE_DATA": str(tmp_path),
        "PERFSITE_LEASE_SECONDS": "3",
        "PERFSITE_HEARTBEAT_SECONDS": "5",
        "DJANGO_SETTINGS_MODULE": "perfsite.settings",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "less than two heartbeats" in done.stderr
