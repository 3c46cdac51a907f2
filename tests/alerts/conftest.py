"""Fixtures of the tests of channels."""

import ipaddress

import pytest

from tests.alerts.http_sink import http_sink


@pytest.fixture
def sink(settings):
    settings.ALERTS_HTTP = True
    settings.ALERTS_TIMEOUT_SECONDS = 1
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as server:
        yield server
