"""Whom an incident is told to when the accused commit had to be searched for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from perfsite.alerts.models import OutboxMail
from perfsite.alerts.selectors import SEARCH_PATIENCE
from perfsite.alerts.services import incidents_tell
from perfsite.regressions.bisection import bisections_step
from perfsite.regressions.models import Incident
from perfsite.runs.models import Build
from tests.factories import project_make
from tests.regressions.builders import QUIET, history_make
from tests.regressions.searching import answer, confirm, push_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def pushed(settings, tmp_path) -> list[Build]:
    """Eight quiet builds, then a push of four commits; its head's slowdown is confirmed."""
    settings.MEDIA_ROOT = tmp_path
    settings.MIRRORS = tmp_path / "mirrors"
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"
    project = project_make(slug="demo", owner_email="owner@example.org")
    history_make(project, QUIET)
    builds = push_make(project, first=9)
    confirm()
    return builds


def test_the_alert_waits_for_the_search_and_goes_to_the_culprits_author(pushed):
    assert incidents_tell() == 0  # due, not begun
    bisections_step()
    assert incidents_tell() == 0
    answer(1.0)
    assert incidents_tell() == 0
    answer(1.2)
    assert incidents_tell() == 1
    mail = OutboxMail.objects.get()
    assert mail.recipients == ["dan@example.org"]
    assert f"{pushed[2].short} made cnn" in mail.subject
    assert f"the bisection found {pushed[2].short} by Dan" in mail.text
    assert f"git checkout --detach {pushed[2].sha}" in mail.text
    assert incidents_tell() == 0


def test_without_a_name_the_message_tells_the_range(pushed):
    bisections_step()
    answer(1.1)
    assert incidents_tell() == 1
    mail = OutboxMail.objects.get()
    good = Build.objects.get(ordinal=8)
    assert f"{good.short}..{pushed[3].short} made cnn" in mail.subject
    assert "one of the 4 commits" in mail.text
    assert "more than one commit" in mail.text


def test_a_running_search_is_waited_for_longer_than_other_jobs_but_not_for_ever(pushed):
    bisections_step()
    Incident.objects.update(opened_at=timezone.now() - timedelta(minutes=11))
    assert incidents_tell() == 0
    Incident.objects.update(opened_at=timezone.now() - SEARCH_PATIENCE)
    assert incidents_tell() == 1
