"""A project with a history, shared by the tests of the screening."""

from __future__ import annotations

import pytest

from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Build
from tests.factories import project_make
from tests.regressions.builders import (
    QUIET,
    history_make,
)


@pytest.fixture
def project(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return project_make()


@pytest.fixture
def slowed(project) -> list[Build]:
    """Eight quiet builds and a ninth that is 20 % slower, screened."""
    builds = history_make(project, [*QUIET, 1.2])
    reports_screen()
    return builds
