"""Lists of the settings come in pages: of several hundred rows none is lost, and none costs a query."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from perfsite.access.models import Membership, Token
from perfsite.alerts.models import Channel, Mute, Notification, Rule
from perfsite.results.models import Series
from perfsite.runs.models import Schedule, ScheduleTurn
from perfsite.webhooks.models import Delivery
from tests.dashboards.markup import Page

MANY = 330


def tokens_make(world, users, first, last):
    Token.objects.bulk_create(
        Token(project=world.project, name=f"thing-{n:03}-", purpose="read", sha256=f"{n:064x}")
        for n in range(first, last)
    )


def rules_make(world, users, first, last):
    made = Rule.objects.bulk_create(
        Rule(project=world.project, name=f"thing-{n:03}-") for n in range(first, last)
    )
    for rule in made:
        rule.channels.add(Channel.objects.order_by("id").first())


def channels_make(world, users, first, last):
    Channel.objects.bulk_create(
        Channel(project=world.project, kind="email", name=f"thing-{n:03}-") for n in range(first, last)
    )


def mutes_make(world, users, first, last):
    until = timezone.now() + timedelta(days=9)
    values = {
        name: getattr(world.series, name)
        for name in (field.attname for field in Series._meta.concrete_fields)
        if name not in ("id", "metric", "key")
    }
    made = Series.objects.bulk_create(
        Series(**values, metric=f"m{n:03}", key=f"{n:064x}") for n in range(first, last)
    )
    Mute.objects.bulk_create(
        Mute(project=world.project, series=row, until=until, reason=f"thing-{n:03}-", actor="ada")
        for n, row in zip(range(first, last), made, strict=True)
    )


def notifications_make(world, users, first, last):
    channel = Channel.objects.order_by("id").first()
    Notification.objects.bulk_create(
        Notification(
            incident=world.incident, channel=channel, recipient=f"thing-{n:03}-", state="sent", key=f"n{n}"
        )
        for n in range(first, last)
    )


def schedules_make(world, users, first, last):
    due = datetime(2027, 1, 1, tzinfo=UTC)
    made = Schedule.objects.bulk_create(
        Schedule(
            project=world.project, name=f"thing-{n:03}-", what="full", at=time(3), days=[0],
            time_zone="Europe/Berlin", minutes_per_day=60, due_at=due,
        )
        for n in range(first, last)
    )  # fmt: skip
    ScheduleTurn.objects.bulk_create(
        ScheduleTurn(schedule=row, due_at=due - timedelta(days=n), state="ended")
        for row in made
        for n in range(9)
    )


def members_make(world, users, first, last):
    made = users.bulk_create(users.model(username=f"thing-{n:03}-") for n in range(first, last))
    Membership.objects.bulk_create(Membership(user=row, project=world.project, role="viewer") for row in made)


def everywhere_make(world, users, first, last):
    made = users.bulk_create(users.model(username=f"thing-{n:03}-") for n in range(first, last))
    Membership.objects.bulk_create(Membership(user=row, role="viewer") for row in made)


def deliveries_make(world, users, first, last):
    Delivery.objects.bulk_create(
        Delivery(
            project=world.project, forge="github", delivery_id=f"d{n}", event="push", outcome="accepted",
            reason=f"thing-{n:03}-",
        )
        for n in range(first, last)
    )  # fmt: skip


LISTS = {
    "tokens": ("tokens", "page", tokens_make),
    "rules": ("alerts", "rules", rules_make),
    "channels": ("alerts", "channels", channels_make),
    "mutes": ("alerts", "mutes", mutes_make),
    "notifications": ("alerts", "notifications", notifications_make),
    "schedules": ("schedules", "page", schedules_make),
    "members": ("members", "here", members_make),
    "members everywhere": ("members", "everywhere", everywhere_make),
    "deliveries": ("webhook-settings", "page", deliveries_make),
}


@pytest.mark.parametrize(("page", "parameter", "make"), LISTS.values(), ids=LISTS)
def test_a_long_list_comes_in_pages_of_equal_cost(world, person, django_user_model, page, parameter, make):
    address = reverse(page, args=["zoo"])
    users = django_user_model.objects
    make(world, users, 0, 3)
    person.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        person.get(address)
    make(world, users, 3, MANY)
    seen, number = [], 1
    while True:
        with CaptureQueriesContext(connection) as many:
            html = person.get(address, {parameter: number}).content.decode()
        assert Page(html).problems == []
        assert len(many) <= len(few) + 1  # how many there are is counted
        shown = set(re.findall(r"thing-\d{3}-", html))
        assert 0 < len(shown) <= 51
        seen.append(shown)
        following = f"?{parameter}={number + 1}"
        if following not in html:
            break
        number += 1
    assert len(seen) >= MANY // 51
    assert set().union(*seen) == {f"thing-{n:03}-" for n in range(MANY)}


def test_a_page_of_one_list_keeps_the_page_of_another(world, person, django_user_model):
    for make in (rules_make, channels_make):
        make(world, django_user_model.objects, 0, 120)
    html = person.get(reverse("alerts", args=["zoo"]), {"rules": 2, "channels": 3}).content.decode()
    assert "?rules=3&amp;channels=3" in html
    assert "?rules=2&amp;channels=2" in html
