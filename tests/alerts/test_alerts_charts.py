"""Charts in chats: a signed address that their servers fetch without a login, and nobody else can guess."""

import json
import socket
import time
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
from django.core import signing
from django.core.cache import cache
from PIL import Image

from perfsite.access import limits
from perfsite.alerts import chart_links
from perfsite.alerts.configuring import channel_save
from perfsite.alerts.models import Channel, Notification
from perfsite.alerts.services import notification_send
from perfsite.core.errors import PerfsiteError
from perfsite.regressions.models import Incident
from perfsite.results.models import Measurement
from tests.alerts.worlds import incident_make
from tests.factories import build_make, job_make, project_make

pytestmark = pytest.mark.django_db
SITE = "https://perf.example.org"


@pytest.fixture(autouse=True)
def site(settings, monkeypatch):
    """A site whose address is public, as far as names tell."""
    settings.SITE_URL = SITE
    real, addresses = socket.getaddrinfo, {"perf.example.org": "93.184.216.34", "perf.corp": "10.1.2.3"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real(addresses.get(host, host), *a, **k))
    cache.clear()
    yield addresses
    cache.clear()


def incident_of(slug: str, *, is_public: bool) -> Incident:
    """An incident whose series has a few points to draw."""
    project = project_make(slug=slug, is_public=is_public)
    builds = [build_make(project, ordinal) for ordinal in range(1, 9)]
    incident = incident_make(builds[5], builds[4])
    series = incident.regressions.get().series
    job = job_make(builds[0])
    for build in builds:
        value = 1.2 if build.ordinal > 5 else 1.0
        Measurement.objects.create(series=series, build=build, job=job, ordinal=build.ordinal, value=value)
    return incident


@pytest.fixture
def incident() -> Incident:
    return incident_of("zoo", is_public=True)


def channel_make(incident: Incident, kind: str, sink, chart: str = "") -> Channel:
    values = {"secret_url": f"{sink.url}/hook", "chart": chart}
    channel_save(project=incident.project, kind=kind, name=kind, values=values)
    return Channel.objects.get(project=incident.project, name=kind)


def told(incident: Incident, channel: Channel) -> Notification:
    row = Notification.objects.create(
        channel=channel,
        incident=incident,
        state="queued",
        key=f"{channel.pk}-{channel.notifications.count()}",
    )
    notification_send(notification=row)
    row.refresh_from_db()
    return row


def picture_of(call) -> str:
    """The address of the picture in what a chat got; empty without one."""
    body = call.json
    if "blocks" in body:
        found = [block["image_url"] for block in body["blocks"] if block["type"] == "image"]
    else:
        card = body["attachments"][0]["content"]
        found = [block["url"] for block in card["body"] if block["type"] == "Image"]
    return found[0] if found else ""


def fetched(live_server, url: str) -> httpx.Response:
    """What somebody without a login gets by the address, over the network."""
    return httpx.get(live_server.url + urlsplit(url).path, trust_env=False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_fetches_the_chart_of_its_incident_without_a_login(
    incident, sink, live_server, monkeypatch, kind
):
    row = told(incident, channel_make(incident, kind, sink))
    assert row.state == "sent"
    url = picture_of(sink.calls[0])
    assert url.startswith(f"{SITE}/charts/")
    answer = fetched(live_server, url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert Image.open(BytesIO(answer.content)).size == (1200, 440)
    assert "max-age=600" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    for wrong in (url.replace(".png", "x.png"), f"{SITE}/charts/1.png", url.replace("/charts/", "/charts/W")):
        assert fetched(live_server, wrong).status_code == 404
    later = time.time() + chart_links.LIFETIME.total_seconds() + 1
    monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: later))
    assert fetched(live_server, url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_what_shows_no_charts_any_more_takes_its_addresses_back(incident, sink, live_server):
    channel = channel_make(incident, "slack", sink)
    told(incident, channel)
    url = picture_of(sink.calls[0])
    incident.project.is_public = False
    incident.project.save()
    assert fetched(live_server, url).status_code == 404
    channel_save(
        project=incident.project, kind="slack", name="slack", values={"chart": "always"}, channel=channel
    )
    assert fetched(live_server, url).status_code == 200
    channel_save(
        project=incident.project, kind="slack", name="slack", values={"chart": "never"}, channel=channel
    )
    assert fetched(live_server, url).status_code == 404


@pytest.mark.parametrize("kind", ["slack", "teams"])
@pytest.mark.parametrize(
    ("is_public", "chart", "shown"),
    [(True, "", True), (True, "never", False), (False, "", False), (False, "always", True)],
)
def test_a_private_project_shows_charts_only_where_somebody_says_so(sink, kind, is_public, chart, shown):
    incident = incident_of("zoo", is_public=is_public)
    assert told(incident, channel_make(incident, kind, sink, chart)).state == "sent"
    assert bool(picture_of(sink.calls[0])) == shown


@pytest.mark.parametrize(
    "site_url",
    [
        "http://perf.example.org", "https://perf.corp", "https://10.1.2.3", "https://localhost:8000",
        "https://no-such-host.invalid",
    ],
)  # fmt: skip
def test_a_site_that_nobody_outside_reaches_leaves_the_chart_out(incident, sink, settings, site_url):
    settings.SITE_URL = site_url
    assert told(incident, channel_make(incident, "slack", sink)).state == "sent"
    assert picture_of(sink.calls[0]) == ""


def test_a_message_whose_picture_slack_cannot_fetch_goes_without_it(incident, sink):
    def answer(call):
        return (400, {}, b"invalid_blocks") if picture_of(call) else (200, {}, b"ok")

    sink.answer = answer
    row = told(incident, channel_make(incident, "slack", sink))
    assert (row.state, [bool(picture_of(call)) for call in sink.calls]) == ("sent", [True, False])


def test_a_message_that_slack_refuses_without_its_picture_too_failed(incident, sink):
    sink.answer = lambda call: (400, {}, b"invalid_blocks")
    row = told(incident, channel_make(incident, "slack", sink))
    assert (row.state, len(sink.calls)) == ("failed", 2)
    assert Channel.objects.get(name="slack").is_usable


def test_an_address_of_another_projects_channel_shows_nothing(incident, sink):
    other = incident_of("other", is_public=True)
    foreign = channel_make(other, "slack", sink)
    verdict = incident.regressions.get().verdict_id

    def shown(channel: Channel) -> bytes:
        url = chart_links.chart_url(verdict_id=verdict, channel=channel)
        return chart_links.chart_shown(token=urlsplit(url).path.removeprefix("/charts/").removesuffix(".png"))

    assert shown(channel_make(incident, "slack", sink))  # it is kept, for whom it was drawn
    with pytest.raises(PerfsiteError, match="gone"):
        shown(foreign)


def test_it_is_drawn_once_and_fetched_as_often_as_strangers_may(
    incident, sink, client, monkeypatch, settings
):
    settings.API_PER_MINUTE_ADDRESS = 5
    limits.counter.cache_clear()
    drawn = []
    whole = chart_links.chart_of
    monkeypatch.setattr(chart_links, "chart_of", lambda *a, **k: drawn.append(1) or whole(*a, **k))
    told(incident, channel_make(incident, "slack", sink))
    path = urlsplit(picture_of(sink.calls[0])).path
    answers = [client.get(path, REMOTE_ADDR="198.51.100.77") for _ in range(7)]
    limits.counter.cache_clear()
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert int(answers[-1]["Retry-After"]) >= 1
    assert len(drawn) == 1


def test_a_choice_that_is_none_is_refused(incident, sink):
    with pytest.raises(PerfsiteError, match="'perhaps' is none of '', 'always', 'never'"):
        channel_make(incident, "slack", sink, chart="perhaps")
    assert json.dumps(list(Channel.objects.values("name"))) == "[]"
