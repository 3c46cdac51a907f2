"""The main job: signed pushes of real commits lead to the planted regressions and to no others."""

import pytest

from tests.e2e.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def test_demo_finds_exactly_what_was_planted(tmp_path):
    service = Service(tmp_path, short_terms=False)
    try:
        answer = service.run("demo", "--exit", "--port", "8720", timeout=800)
    finally:
        left = service.close()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count("regressed") == 2
    assert left == []
