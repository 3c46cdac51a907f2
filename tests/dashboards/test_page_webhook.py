"""The page of a project's webhook: test deliveries over a real connection, a new secret, what came."""

import re
import socket

import pytest
from django.contrib.auth import get_user_model

from perfsite.runs.models import Project
from perfsite.webhooks.models import Delivery
from perfsite.webhooks.services import refusal_count
from tests.factories import project_make
from tests.webhooks.signing import signed

PAGE = "/projects/zoo/webhook/"
PING = {"HTTP_X_GITHUB_EVENT": "ping", "HTTP_X_GITHUB_DELIVERY": "one"}


def project_zoo() -> Project:
    return project_make(slug="zoo")


def signed_in(client):
    client.force_login(get_user_model().objects.create_superuser("ada"))
    return client


def ping(client, secret: str) -> int:
    header = signed(b"{}", secret)
    answer = client.post(
        "/webhooks/github/zoo/", b"{}", "application/json", HTTP_X_HUB_SIGNATURE_256=header, **PING
    )
    return answer.status_code


@pytest.mark.django_db(transaction=True)
def test_a_test_delivery_goes_over_the_network_and_shows_among_those_that_came(client, live_server, settings):
    settings.SITE_URL = live_server.url
    project_zoo()
    told = signed_in(client).post(f"{PAGE}test/", follow=True).content.decode()
    assert f"{live_server.url}/webhooks/github/zoo/ took the test delivery in" in told
    assert "zoo listens" in told
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.outcome, delivery.builds) == ("ping", "answered", 0)


@pytest.mark.django_db
def test_a_site_that_its_own_address_does_not_reach_is_told(client, settings):
    with socket.socket() as bound:  # held, and nobody listens
        bound.bind(("127.0.0.1", 0))
        settings.SITE_URL = f"http://127.0.0.1:{bound.getsockname()[1]}"
        project_zoo()
        told = signed_in(client).post(f"{PAGE}test/", follow=True).content.decode()
    assert "did not answer" in told
    assert "check PERFSITE_URL" in told


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_not_the_intakes_is_told(client, live_server, settings):
    settings.SITE_URL = f"{live_server.url}/elsewhere"
    project_zoo()
    told = signed_in(client).post(f"{PAGE}test/", follow=True).content.decode()
    assert "answered 404 instead of 200" in told


@pytest.mark.django_db
def test_a_new_secret_is_shown_once_and_the_old_one_opens_nothing(client):
    old = project_zoo().webhook_secret
    made = signed_in(client).post(f"{PAGE}secret/")
    new = re.search(r"\b[0-9a-f]{64}\b", made.content.decode()).group()
    assert new != old
    assert "no-store" in made["Cache-Control"]
    assert new not in client.get(PAGE).content.decode()
    assert (ping(client, old), ping(client, new)) == (403, 200)


@pytest.mark.django_db
def test_what_was_refused_is_counted_in_words(client):
    project = project_zoo()
    assert "Nothing was delivered yet" in signed_in(client).get(PAGE).content.decode()
    for _ in range(3):
        refusal_count(project=project, reason="signature")
    shown = client.get(PAGE).content.decode()
    assert "3 of the last seven days had a wrong signature: forge and site hold different secrets" in shown
