"""Whom we tell of the environment, of a withdrawal and of a build that is faster and wrong."""

import pytest

from perfsite.alerts.models import Notification, OutboxMail
from perfsite.alerts.services import incidents_tell
from perfsite.regressions.causes import causes_find
from perfsite.regressions.models import Incident
from perfsite.regressions.services import reports_screen
from tests.factories import case_make, job_make, project_make
from tests.regressions.builders import compare_job, compare_report
from tests.regressions.witnessed import build_measured, level_measured, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SITE_URL = "https://perf.example.org"
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"
    return project_make(slug="demo", owner_email="owner@example.org")


def test_the_environment_is_told_to_the_owner_and_accuses_nobody(project):
    level_measured(project)
    build = build_measured(project, 9, 1.2, canary=0.012)
    settle(1.0)
    assert incidents_tell() == 1
    mail = OutboxMail.objects.get()
    assert mail.recipients == ["owner@example.org"]
    assert "The canary, a pinned computation, took 20.0 % longer on cpu" in mail.subject
    assert f"First seen at {build.short}, whose code did not do it" in mail.text
    assert "Ada" not in mail.text
    assert "counted, not timed" not in mail.text
    assert "its code is innocent" in mail.text


def test_a_withdrawal_is_told_once_to_whom_the_incident_was(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    assert incidents_tell() == 1
    incident = Incident.objects.get()
    again = job_make(incident.build, case_make(), kind="compare", spec=compare_job().spec)
    compare_report(again, {"latency_p50": 1.0})
    reports_screen()
    causes_find()
    assert incidents_tell() == 1
    assert incidents_tell() == 0
    mail = OutboxMail.objects.order_by("id").last()
    assert mail.subject.startswith("[demo] Withdrawn: ")
    assert "Later data refute it: " in mail.text
    assert mail.recipients == ["ada@example.org"]
    assert Notification.objects.count() == 2


def test_what_is_withdrawn_before_anybody_heard_of_it_is_not_told(project):
    level_measured(project)
    build_measured(project, 9, 1.2)
    settle(1.2)
    incident = Incident.objects.get()
    again = job_make(incident.build, case_make(), kind="compare", spec=compare_job().spec)
    compare_report(again, {"latency_p50": 1.0})
    causes_find()
    assert incidents_tell() == 0
    assert not OutboxMail.objects.exists()
