"""Rules, channels, notes and marks are removed from their pages, after a question that needs no script."""

import pytest
from django.urls import reverse

from perfsite.access.models import AuditEntry, Membership
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.models import Channel, Rule
from perfsite.dashboards.models import Note
from perfsite.dashboards.services import note_add
from perfsite.regressions.confirmation.asked import change_mark, mark_of
from tests.dashboards.markup import Page


def asked(client, address: str, listed_on: str) -> str:
    """The question, which a link of the page leads to; asking changes nothing."""
    assert address in Page(client.get(listed_on).content.decode()).links
    answer = client.get(address)
    html = answer.content.decode()
    assert (answer.status_code, Page(html).problems) == (200, [])
    assert "data-confirm" not in html
    return html


def test_a_rule_is_removed_but_not_the_last_one(world, person):
    page = reverse("alerts", args=["zoo"])
    person.get(page)
    (first,) = Rule.objects.all()
    address = reverse("alert-rule-remove", args=["zoo", first.pk])
    assert f"Remove the rule {first.name}?" in asked(person, address, page)
    answer = person.post(address)
    assert (answer.status_code, "is the only rule" in answer.content.decode()) == (409, True)
    Rule.objects.create(project=world.project, name="Other")
    assert f"Removed: the rule {first.name}" in person.post(address, follow=True).content.decode()
    assert [rule.name for rule in Rule.objects.all()] == ["Other"]
    entry = AuditEntry.objects.get(action="alert-rule-remove")
    assert entry.detail["thing"] == f"the rule {first.name}"
    assert person.post(address).status_code == 404


def test_a_channel_is_removed_unless_a_rule_tells_by_it(world, person):
    page = reverse("alerts", args=["zoo"])
    defaults_ensure(project=world.project)
    channel = Channel.objects.get()
    address = reverse("alert-channel-remove", args=["zoo", channel.pk])
    assert "secrets are forgotten" in asked(person, address, page)
    answer = person.post(address)
    assert (answer.status_code, "take it out of the rule first" in answer.content.decode()) == (409, True)
    Rule.objects.get().channels.clear()
    assert person.post(address).status_code == 302
    assert not Channel.objects.exists()


def test_a_note_is_removed_by_a_triager_and_not_by_a_viewer(world, client, django_user_model, settings):
    settings.DEFAULT_ROLE = ""
    build = world.builds[3]
    note = note_add(series=world.series, build_id=build.pk, author="ada", text="The bench <b>moved</b>.")
    address = reverse("note-remove", args=[world.series.pk, note.pk])
    page = reverse("series", args=[world.series.pk])
    user = django_user_model.objects.create_user("tom")
    held = Membership.objects.create(user=user, project=world.project, role="viewer")
    client.force_login(user)
    assert address not in client.get(page).content.decode()
    assert client.get(address).status_code == 403
    assert client.post(address).status_code == 403
    Membership.objects.filter(pk=held.pk).update(role="triager")
    assert "&lt;b&gt;moved" in asked(client, address, page)
    assert asked(client, address, f"{page}?build={build.pk}")
    assert Note.objects.count() == 1
    other = reverse("note-remove", args=[world.series.pk + 1, note.pk])
    assert client.post(other).status_code == 404
    assert client.post(address).url == f"{page}?build={build.pk}#point"
    assert not Note.objects.exists()


def test_a_mark_is_taken_back_and_then_made_anew(world, person):
    build = world.builds[6]
    series = world.series
    page = reverse("series", args=[series.pk]) + f"?build={build.pk}"
    address = reverse("mark-remove", args=[series.pk, build.pk])
    assert address not in person.get(page).content.decode()
    assert person.get(address).status_code == 404
    series.points.filter(build=build).update(value=0.006)
    change_mark(series=series, build_id=build.pk, actor="ada")
    assert "Mark as a change" not in person.get(page).content.decode()
    assert "Take back the mark" in asked(person, address, page)
    assert mark_of(series=series, build_id=build.pk) is not None
    assert "Taken back: the mark" in person.post(address, follow=True).content.decode()
    assert mark_of(series=series, build_id=build.pk) is None
    assert "Mark as a change" in person.get(page).content.decode()


@pytest.mark.parametrize("name", ["alert-rule-remove", "alert-channel-remove", "schedule-remove", "schedule"])
def test_what_is_not_there_is_said_in_a_sentence(world, person, name):
    answer = person.get(reverse(name, args=["zoo", 999]))
    assert answer.status_code == 404
    assert "There is no" in answer.content.decode()
