"""A stored report wakes the screen, an incident wakes the alerts; both tasks are on the schedule too."""

import pytest

from perfsite.celery import app
from perfsite.regressions.models import Incident
from perfsite.regressions.services import reports_screen
from perfsite.regressions.signals import incident_changed
from perfsite.results.signals import report_stored
from perfsite.runs.models import Job
from tests.factories import project_make
from tests.regressions.builders import QUIET, compare_report, history_make


@pytest.mark.parametrize("name", ["regressions.screen", "alerts.tell"])
def test_the_scheduled_tasks_exist(name):
    app.loader.import_default_modules()
    assert name in app.tasks
    assert name in {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_the_rooms_listen():
    assert report_stored.has_listeners()
    assert incident_changed.has_listeners()


@pytest.mark.django_db
def test_an_incident_is_told_of_after_its_commit(settings, tmp_path, django_capture_on_commit_callbacks):
    settings.MEDIA_ROOT = tmp_path
    heard = []

    def hear(incident_id, **_):
        heard.append(incident_id)

    incident_changed.connect(hear)
    try:
        history_make(project_make(), [*QUIET, 1.2])
        reports_screen()
        compare_report(Job.objects.get(kind="compare"), {"latency_p50": 1.2})
        with django_capture_on_commit_callbacks(execute=True):
            reports_screen()
    finally:
        incident_changed.disconnect(hear)
    assert heard == [Incident.objects.get().pk]
