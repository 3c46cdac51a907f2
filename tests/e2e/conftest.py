"""One running service per file of tests."""

import pytest

from tests.e2e.service import Service, Watched


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    running = Service(tmp_path_factory.mktemp("home"))
    try:
        running.up()
        running.token = running.manage("token", "add", "tests", "--purpose", "read").strip()
        yield running
    finally:
        left = running.close()
    assert left == []


@pytest.fixture
def watched(service):
    return lambda slug: Watched(service, slug)
