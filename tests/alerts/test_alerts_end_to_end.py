"""From reports that regress, through detection and a rule, to a real mail server and a real HTTP server."""

import ipaddress
from datetime import time, timedelta
from time import sleep

import pytest
from django.utils import timezone

from perfsite.alerts.models import Channel, Mute, Notification, Rule, Telling
from perfsite.alerts.mute_links import mute_url
from perfsite.alerts.services import incidents_tell
from perfsite.regressions.models import Incident
from perfsite.regressions.services import reports_screen
from perfsite.runs.models import Job
from tests.alerts.http_sink import http_sink
from tests.alerts.smtp_sink import smtp_sink
from tests.factories import project_make
from tests.regressions.builders import QUIET, compare_report, history_make

pytestmark = pytest.mark.django_db
METRICS = ("latency_p50", "latency_p90", "latency_p99")


@pytest.fixture
def mails(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SITE_URL = "https://perf.example.org"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with smtp_sink() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server.mails


@pytest.fixture
def calls(settings):
    settings.ALERTS_HTTP = True
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as server:
        yield server


@pytest.fixture
def rule(mails, calls) -> Rule:
    """Everything to the owner by mail and to a webhook."""
    project = project_make(slug="demo", owner_email="owner@example.org")
    made = Rule.objects.create(project=project, name="everything", recipients=["owner"])
    made.channels.add(
        Channel.objects.create(project=project, kind="email", name="mail"),
        Channel.objects.create(
            project=project, kind="webhook", name="hook", settings={"url": f"{calls.url}/hook"},
            secrets={"secret": "whsec_c2VjcmV0"},
        ),
    )  # fmt: skip
    return made


def regress(rule: Rule, count: int = 1) -> list[Incident]:
    """So many incidents, each found in the reports of nine builds and confirmed by a comparison."""
    for place, metric in enumerate(METRICS[:count]):
        history_make(rule.project, [*QUIET, 1.2], metric=metric, first=100 * place + 1)
        reports_screen()
        compare_report(Job.objects.get(kind="compare", state="queued"), {metric: 1.2})
        reports_screen()
    found = list(Incident.objects.order_by("id"))
    assert len(found) == count
    return found


def change(rule: Rule, **values: object) -> None:
    Rule.objects.filter(pk=rule.pk).update(**values)


def pass_time() -> None:
    """As if what waits had waited long enough."""
    Telling.objects.filter(notification=None).exclude(due_at=None).update(due_at=timezone.now())


def test_what_is_told_at_once_arrives_by_every_channel_of_the_rule(rule, mails, calls):
    (incident,) = regress(rule)
    assert [incidents_tell(), incidents_tell()] == [2, 0]
    assert [mail["To"] for mail in mails] == ["owner@example.org"]
    assert calls.calls[0].json["data"]["incident"] == incident.pk


def test_what_is_muted_is_silent_everywhere_and_a_second_post_mutes_nothing_more(rule, mails, calls, client):
    (incident,) = regress(rule)
    address = mute_url(incident=incident).removeprefix("https://perf.example.org")
    until = (timezone.now() + timedelta(days=3)).date()
    for _ in range(2):
        answer = client.post(address, {"until": until.isoformat(), "reason": "known, being mended"})
        assert "1 series muted until" in answer.content.decode()
    assert (Mute.objects.count(), incident.events.filter(code="muted").count()) == (1, 1)
    assert incidents_tell() == incidents_tell() == 0
    assert (mails, calls.calls) == ([], [])
    assert not Notification.objects.exists()
    assert {(row.decision, row.why) for row in Telling.objects.all()} == {("muted", "its series are muted")}
    # the newest word counts: a longer one changes the mute, it adds none
    client.post(address, {"until": (until + timedelta(days=9)).isoformat(), "reason": "takes longer"})
    assert (Mute.objects.get().reason, Mute.objects.get().until.date()) == (
        "takes longer",
        until + timedelta(days=9),
    )


def test_a_digest_is_one_message_of_all_for_each_channel(rule, mails, calls):
    change(rule, digest_at=time(8, 0))
    incidents = regress(rule, 2)
    assert incidents_tell() == 0
    assert (mails, calls.calls) == ([], [])
    due = Telling.objects.values_list("due_at", flat=True)
    assert all((at.hour, at.minute) == (8, 0) and at > timezone.now() for at in due)
    pass_time()
    assert [incidents_tell(), incidents_tell()] == [2, 0]
    (mail,), (call,) = mails, calls.calls
    assert mail["Subject"].startswith("[demo] 2 incidents: ")
    assert [row["incident"] for row in call.json["data"]["incidents"]] == [row.pk for row in incidents]
    assert all(row.told_at for row in Incident.objects.all())


def test_beyond_the_days_cap_the_rest_comes_in_one_summary(rule, mails, calls):
    change(rule, cap=1)
    incidents = regress(rule, 3)
    assert incidents_tell() == 2  # one by each channel
    assert (len(mails), len(calls.calls)) == (1, 1)
    assert Telling.objects.filter(decision="capped").count() == 4
    ends = Telling.objects.filter(decision="capped").values_list("due_at", flat=True)
    assert all((at.hour, at.minute, at - timezone.now() <= timedelta(days=1)) == (0, 0, True) for at in ends)
    pass_time()
    assert [incidents_tell(), incidents_tell()] == [2, 0]
    assert mails[1]["Subject"].startswith("[demo] 2 incidents: ")
    text = mails[1].get_payload()[0].get_payload(decode=True).decode()
    assert "held back because the day's messages were spent" in text
    assert [row["incident"] for row in calls.calls[1].json["data"]["incidents"]] == [
        row.pk for row in incidents[1:]
    ]


def test_in_quiet_hours_it_waits_and_is_told_afterwards(rule, mails, calls):
    now = timezone.now()
    change(rule, quiet_from=(now - timedelta(hours=1)).time(), quiet_to=(now + timedelta(hours=1)).time())
    regress(rule)
    assert incidents_tell() == 0
    assert {row.decision for row in Telling.objects.all()} == {"hold"}
    pass_time()
    assert incidents_tell() == 2
    assert (len(mails), len(calls.calls)) == (1, 1)


def test_a_rule_that_asks_for_more_than_moved_is_silent_and_says_so(rule, mails, calls):
    change(rule, minimum=0.5)
    regress(rule)
    assert incidents_tell() == 0
    assert (mails, calls.calls) == ([], [])
    assert {row.why for row in Telling.objects.all()} == {"20.0% is less than the rule's 50.0%"}


def test_a_channel_that_hangs_costs_the_others_one_wait_and_then_none(rule, mails, calls, settings):
    """The webhook takes a connection and never answers; mails go on, and it is asked again later."""
    settings.ALERTS_TIMEOUT_SECONDS = 1
    regress(rule, 3)
    calls.answer = lambda call: sleep(3)
    hook = Channel.objects.get(kind="webhook")
    began = timezone.now()
    assert incidents_tell() == 3
    assert len(mails) == 3
    assert len(calls.calls) == 1  # and not once for each message
    hook.refresh_from_db()
    assert (hook.unanswered, hook.rests_until > began) == (1, True)
    assert Notification.objects.filter(channel=hook, state="queued").count() == 3
    calls.say(200)
    Channel.objects.update(rests_until=timezone.now())
    Notification.objects.update(due_at=timezone.now())
    assert incidents_tell() == 3
    hook.refresh_from_db()
    assert (hook.unanswered, hook.rests_until) == (0, None)
    assert len({call.headers["webhook-id"] for call in calls.calls}) == 3


def test_a_digest_takes_back_in_the_digest_what_it_told(rule, mails, calls):
    """The withdrawal comes by the way the incident came, and is told once."""
    change(rule, digest_at=time(8, 0))
    (incident,) = regress(rule)
    incidents_tell()
    pass_time()
    assert incidents_tell() == 2
    Incident.objects.update(state="withdrawn", withdrawn_at=timezone.now(), withdrawn_reason="refuted")
    assert incidents_tell() == 0
    pass_time()
    assert [incidents_tell(), incidents_tell()] == [2, 0]
    assert "Withdrawn: " in mails[1]["Subject"]
    assert calls.calls[1].json["data"]["incidents"][0]["state"] == "withdrawn"
    assert incident.tellings.filter(occasion="withdrawal").count() == 2
