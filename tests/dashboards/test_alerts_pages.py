"""A project's alerts page, its rules, channels and mutes; triage by hand."""

import pytest
from django.urls import reverse
from django.utils import timezone

from perfsite.access.services import token_add
from perfsite.alerts.models import Channel, Mute, Notification, OutboxMail, Rule
from perfsite.alerts.mute_links import mute_url
from perfsite.regressions import triage
from perfsite.regressions.models import Incident
from perfsite.regressions.regrouping import incident_merge
from perfsite.regressions.triage_details import incident_edit
from perfsite.runs.models import Project
from tests.dashboards.markup import Page
from tests.factories import project_make

pytestmark = pytest.mark.django_db

RULE = {
    "name": "GPU only",
    "minimum": "5",
    "recipients": "owner, lead@example.org",
    "zone": "Europe/Berlin",
    "days": "30",
}
DETAILS = {"assignee": "bob", "tags": "gpu, fusion", "links": "https://t.example/1", "due_on": "2026-12-24"}


@pytest.fixture(autouse=True)
def outbox(settings):
    settings.EMAIL_BACKEND = "perfsite.alerts.outbox.EmailBackend"


def path(name: str, *args) -> str:
    return reverse(name, args=["zoo", *args])


def shown(client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status
    html = answer.content.decode()
    assert Page(html).problems == []
    return html


def test_the_pages_have_nothing_that_the_policy_forbids_and_need_a_login(world, person, client):
    channel = Channel.objects.get()
    html = shown(person, path("alerts"))
    assert "Everything, at once" in html
    shown(person, path("alert-rule", Rule.objects.get().pk))
    shown(person, path("alert-channel", "email", channel.pk))
    for kind in ("slack", "teams", "webhook", "github", "gitlab", "apprise"):
        shown(person, path("alert-channel-new", kind))
    client.logout()
    assert client.get(path("alerts")).status_code == 302


def test_a_rule_is_tried_before_it_is_saved(world, person):
    sent = RULE | {"channels": [Channel.objects.get().pk]}
    html = person.post(path("alert-rule-trial-new"), sent).content.decode()
    assert Page(html).problems == []
    assert "it would have told 1 incident at once" in html
    assert not Rule.objects.exists()
    html = person.post(path("alert-rule-trial-new"), sent | {"minimum": "25"}).content.decode()
    assert "it would have told 0 incidents at once" in html
    assert "1 not asked for" in html
    person.post(path("alert-rule-store-new"), sent)
    rule = Rule.objects.get()
    assert (rule.minimum, rule.recipients, rule.zone) == (
        0.05,
        ["owner", "lead@example.org"],
        "Europe/Berlin",
    )
    person.post(path("alert-rule-store", rule.pk), sent | {"name": "Renamed"})
    assert Rule.objects.get().name == "Renamed"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"zone": "Mars/Olympus"}, "is no time zone"),
        ({"recipients": "nobody"}, "is no address of e-mail"),
        ({"quiet_from": "22:00"}, "quiet hours need both ends"),
        ({"channels": []}, "This field is required"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_reason(world, person, wrong, words):
    sent = RULE | {"channels": [Channel.objects.get().pk]} | wrong
    assert words in person.post(path("alert-rule-store-new"), sent).content.decode()
    assert not Rule.objects.exists()


def test_a_secret_is_shown_once_and_kept_when_the_field_is_left_empty(world, person):
    sent = {"name": "hook", "url": "https://93.184.216.34/hook", "secret": ""}
    html = person.post(path("alert-channel-new", "webhook"), sent, follow=True).content.decode()
    hook = Channel.objects.get(kind="webhook")
    secret = hook.secrets["secret"]
    assert secret.startswith("whsec_")
    assert secret in html
    for url in (path("alerts"), path("alert-channel", "webhook", hook.pk)):
        assert secret not in shown(person, url)
    person.post(path("alert-channel", "webhook", hook.pk), sent | {"name": "renamed"})
    hook.refresh_from_db()
    assert (hook.name, hook.secrets["secret"]) == ("renamed", secret)
    html = person.post(
        path("alert-channel-new", "webhook"), sent | {"url": "https://10.0.0.1/"}
    ).content.decode()
    assert "is no public address" in html


def test_a_test_of_a_channel_goes_out_at_once_and_says_so(world, person):
    html = person.post(path("alert-channel-test", Channel.objects.get().pk), follow=True).content.decode()
    assert "did not take the test" in html  # nobody has an address yet
    type(world.project).objects.update(owner_email="owner@example.org")
    html = person.post(path("alert-channel-test", Channel.objects.get().pk), follow=True).content.decode()
    assert "E-mail took the test" in html
    assert "The channel E-mail works" in OutboxMail.objects.order_by("-id")[0].subject


def test_what_failed_is_sent_again_by_a_person(world, person):
    Notification.objects.update(state="uncertain")
    row = Notification.objects.get()
    person.post(path("notification-again", row.pk))
    row.refresh_from_db()
    assert row.state == "queued"


def test_a_mute_link_asks_first_and_a_post_mutes_without_a_login(world, client):
    url = mute_url(incident=world.incident).split("8000")[1]
    assert "Nobody will be told of this series" in shown(client, url)
    assert not Mute.objects.exists()
    until = (timezone.now() + timezone.timedelta(days=7)).date()
    answer = client.post(url, {"until": until, "reason": ""})
    assert not Mute.objects.exists()
    answer = client.post(url, {"until": until, "reason": "new base image"})
    assert "1 series muted until" in answer.content.decode()
    assert Mute.objects.get().actor == "somebody with the link"
    assert client.get("/mute/forged/").status_code == 404
    assert world.incident.events.get().code == "muted"


def test_whose_mailbox_was_told_is_not_for_strangers(world, person, client):
    address = path("incident", world.incident.pk)
    recipient = Notification.objects.exclude(recipient="").filter(incident=world.incident).get().recipient
    assert recipient in person.get(address).content.decode()
    client.logout()
    Project.objects.update(is_public=True)
    html = shown(client, address)
    assert recipient not in html
    assert "Who was told" not in html


def test_whose_an_incident_is_tells_a_stranger_no_address(world, person, client):
    incident_edit(incident=world.incident, actor="ada", assignee="bob@example.org")
    address, api = path("incident", world.incident.pk), f"/api/v1/incidents/{world.incident.pk}"
    Project.objects.update(is_public=True)
    secret = token_add(name="r", purpose="read", project_id=world.project.pk)
    reader = {"Authorization": f"Bearer {secret}"}
    assert client.get(api, headers=reader).json()["assignee"] == "bob@example.org"
    assert "bob@example.org" in client.get(f"{api}/events", headers=reader).content.decode()
    assert "Assigned to bob@example.org." in person.get(address).content.decode()
    client.logout()
    told = client.get(api).json()
    assert told["assignee"] == "bob@…"
    for shown_to_strangers in (client.get(address), client.get(f"{api}/events"), client.get(api)):
        assert shown_to_strangers.status_code == 200
        assert "bob@example.org" not in shown_to_strangers.content.decode()
    # nor does a guess tell whose it is
    listed = client.get("/projects/zoo/incidents/?assignee=nobody@example.org").content.decode()
    assert f"/incidents/{world.incident.pk}/" in listed
    # a token of another project is a stranger, too
    other = token_add(name="o", purpose="read", project_id=project_make(slug="other").pk)
    answer = client.get(api, headers={"Authorization": f"Bearer {other}"})
    assert answer.json()["assignee"] == "bob@…"


def test_a_channel_that_rests_is_shown(world, person):
    Channel.objects.update(unanswered=2, rests_until=timezone.now() + timezone.timedelta(minutes=5))
    assert "did not answer; called again after" in person.get("/projects/zoo/alerts/").content.decode()


def test_of_many_triaged_at_once_all_or_none_are(world, person, monkeypatch):
    old = world.incident
    other = Incident.objects.create(project=old.project, build=old.range_start, range_start=old.range_start)
    whole = triage.event_append

    def breaks(*, incident, **told):
        if incident.pk == other.pk:
            raise RuntimeError("the database is gone")
        return whole(incident=incident, **told)

    monkeypatch.setattr(triage, "event_append", breaks)
    with pytest.raises(RuntimeError):
        person.post("/incidents/triage/", {"incidents": [old.pk, other.pk], "state": "accepted"})
    assert set(Incident.objects.values_list("state", flat=True)) == {"untriaged"}


def test_a_mute_link_of_a_merged_incident_mutes_where_its_series_went(world, client):
    address = mute_url(incident=world.incident).split("8000")[1]
    old = world.incident
    into = Incident.objects.create(project=old.project, build=old.range_start, range_start=old.range_start)
    incident_merge(incident=old, into=into, actor="ada")
    answer = client.post(
        address, {"until": (timezone.now() + timezone.timedelta(days=3)).date(), "reason": "known"}
    )
    assert "1 series muted until" in answer.content.decode()
    assert Mute.objects.count() == 1


def test_triage_by_hand_and_many_at_once(world, person):
    pk = world.incident.pk
    assert Page(shown(person, path("incident", pk))).problems == []
    person.post(path("incident-details", pk), DETAILS)
    world.incident.refresh_from_db()
    assert (world.incident.assignee, world.incident.tags) == ("bob", ["fusion", "gpu"])
    listed = reverse("incidents")
    for query in ("?state=open", "?tag=gpu", "?assignee=bob", "?text=cnn", "?kind=code"):
        assert f"/incidents/{pk}/" in shown(person, listed + query)
    for query in ("?state=fixed", "?tag=gp", "?assignee=ada", "?text=bert", "?kind=service"):
        assert f"/incidents/{pk}/" not in shown(person, listed + query)
    person.post(
        reverse("incidents-triage"),
        {"incidents": [pk], "state": "accepted", "reason": "worth it", "back": listed},
    )
    world.incident.refresh_from_db()
    assert world.incident.state == "accepted"


def test_moving_names_the_build_by_its_commit_and_refuses_what_is_none(world, person):
    pk, other = world.incident.pk, world.builds[6]
    html = person.post(path("incident-move", pk), {"build": "ffff"}, follow=True).content.decode()
    assert "names no build of the branch" in html
    person.post(path("incident-move", pk), {"build": other.sha[:10], "reason": "read the diff"})
    found = Incident.objects.get(pk=pk)
    assert (found.build, found.original_build) == (other, world.builds[5])
    assert "First range" in shown(person, path("incident", pk))
    html = person.post(path("incident-split", pk), {"build": other.sha}, follow=True).content.decode()
    assert "a split takes some" in html
