"""The page of schedules: added, begun, paused and removed by somebody who is logged in."""

from django.urls import reverse

from perfsite.runs.models import Schedule, ScheduleTurn
from tests.dashboards.markup import Page

FORM = {
    "name": "nightly",
    "what": "full",
    "days": "mon,tue",
    "at": "02:00",
    "time_zone": "Europe/Berlin",
    "minutes_per_day": "90",
    "device_class": "",
}


def test_schedule_is_added_begun_paused_and_removed(world, person):
    page, add = reverse("schedules", args=["zoo"]), reverse("schedule-add", args=["zoo"])
    assert "No schedule yet" in person.get(page).content.decode()
    person.post(add, FORM)
    schedule = Schedule.objects.get()
    assert (schedule.days, schedule.created_by, schedule.minutes_per_day) == ([0, 1], "ada", 90.0)
    html = person.get(page).content.decode()
    assert Page(html).problems == []
    assert "Mon, Tue at 02:00, Europe/Berlin" in html
    act = reverse("schedule-act", args=["zoo", schedule.pk])
    person.post(act, {"action": "begin"})
    reason = "the 90 device minutes of the day are spent"
    ScheduleTurn.objects.update(reason=reason, build=world.builds[-1], wanted=3)
    html = person.get(page).content.decode()
    assert "under way" in html
    assert "0 of 3" in html
    assert "minutes of the day are spent" in html
    person.post(act, {"action": "switch"})
    assert "paused" in person.get(page).content.decode()
    remove = reverse("schedule-remove", args=["zoo", schedule.pk])
    assert "Remove the schedule nightly?" in person.get(remove).content.decode()
    assert Schedule.objects.count() == 1
    person.post(remove)
    assert Schedule.objects.count() == 0


def test_what_makes_no_sense_is_told_and_strangers_change_nothing(world, person, client):
    add = reverse("schedule-add", args=["zoo"])
    for wrong, words in (
        ({"days": "someday"}, "not &#x27;someday&#x27;"),
        ({"time_zone": "Mars"}, "unknown time zone"),
        ({"at": "25:00"}, "at: Enter a valid time"),
    ):
        assert words in person.post(add, FORM | wrong, follow=True).content.decode()
    client.logout()
    client.post(add, FORM)
    assert Schedule.objects.count() == 0


def test_a_schedule_is_changed_in_place(world, person):
    person.post(reverse("schedule-add", args=["zoo"]), FORM)
    schedule = Schedule.objects.get()
    address = reverse("schedule", args=["zoo", schedule.pk])
    html = person.get(address).content.decode()
    assert Page(html).problems == []
    assert 'value="mon,tue"' in html
    assert 'value="02:00"' in html
    answer = person.post(address, FORM | {"days": "someday", "time_zone": "Mars"})
    assert answer.status_code == 422
    assert "not &#x27;someday&#x27;" in answer.content.decode()
    assert "unknown time zone" in answer.content.decode()
    assert person.post(address, FORM | {"minutes_per_day": "0"}).status_code == 422
    person.post(address, FORM | {"name": "weekly", "days": "daily", "at": "04:30"})
    changed = Schedule.objects.get()
    assert (changed.name, f"{changed.at:%H:%M}", len(changed.days)) == ("weekly", "04:30", 7)
    assert 'value="daily"' in person.get(address).content.decode()
    person.post(reverse("schedule-add", args=["zoo"]), FORM)
    taken = person.post(address, FORM)
    assert (taken.status_code, "already; choose another name" in taken.content.decode()) == (422, True)
