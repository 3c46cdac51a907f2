"""A message says what changed inside: the parts of the change, and the layers that moved most."""

import ipaddress
import json

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile

from benchmarks.layers import Layer, Layers
from benchmarks.layers.names import GOOD, LAYERS, SUSPECT, profile_start
from benchmarks.layers.stored import stored_write
from perfsite.alerts.models import Channel, OutboxMail, Rule
from perfsite.alerts.services import incidents_tell
from perfsite.regressions.models import Attribution, Incident
from perfsite.results.artifacts import artifact_store
from perfsite.results.models import Artifact
from perfsite.runs.models import Job
from tests.alerts.http_sink import http_sink
from tests.alerts.test_alerts_services import incident, outbox  # noqa: F401 - fixtures
from tests.factories import case_make, job_make
from tests.regressions.builders import job_attempt

pytestmark = pytest.mark.django_db


def layers(slow_s: float) -> Layers:
    rows = [Layer(f"block.{n}", "Conv2d", frozenset({f"block.{n}"}), 1e-4) for n in range(12)]
    rows[3] = Layer("block.3", "Conv2d", frozenset({"block.3"}), slow_s, "fp16", f"kernel_{slow_s}")
    return Layers(tuple(rows), "torch profiler, operators", 0.004)


@pytest.fixture
def profiled(incident: Incident) -> Incident:  # noqa: F811
    """The incident with a profile of both builds, and its change split into parts."""
    cache.clear()
    case = case_make()
    job = job_make(incident.build, case, kind="profile", priority=90)
    attempt = job_attempt(job)
    for side, slow_s in ((GOOD, 2e-4), (SUSPECT, 8e-4)):
        name = f"{profile_start(side, case.runner, case.shape)}.{LAYERS}"
        content = ContentFile(stored_write(layers(slow_s)))
        artifact_store(attempt=attempt, name=name, kind="profile", content=content)
    Job.objects.filter(pk=job.pk).update(state="done")
    part = {"cause": "code", "relative": 0.18, "low": 0.17, "high": 0.19, "sentence": "the code"}
    verdict = incident.regressions.get().verdict
    Attribution.objects.update_or_create(verdict=verdict, defaults={"total": 0.2, "parts": [part]})
    return incident


MOVED = "block.3: 200 µs → 800 µs, +600 µs"


def test_mail_slack_teams_and_webhook_name_the_layer_that_moved_most(profiled, settings):
    settings.ALERTS_HTTP = True
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as sink:
        rule = Rule.objects.create(project=profiled.project, name="all", recipients=["owner"])
        make = {"project": profiled.project, "secrets": {"secret_url": f"{sink.url}/chat"}}
        rule.channels.add(
            Channel.objects.create(kind="email", name="mail", project=profiled.project),
            Channel.objects.create(kind="slack", name="slack", **make),
            Channel.objects.create(kind="teams", name="teams", **make),
            Channel.objects.create(
                kind="webhook", name="hook", project=profiled.project, settings={"url": f"{sink.url}/hook"},
                secrets={"secret": "whsec_c2VjcmV0"},
            ),
        )  # fmt: skip
        assert incidents_tell() == 4
        mail = OutboxMail.objects.get()
        assert "What changed inside\n    code: +18.0 % [17.0, 19.0]\n    Layers: Profiles of " in mail.text
        told = [json.dumps(call.json, ensure_ascii=False).replace("\\\\", "") for call in sink.calls]
    assert len(told) == 3
    for text in (mail.text, mail.html, *told):
        assert MOVED in text
        assert "and 9 more layers on the page" in text
        assert "kernel" in text


def test_layers_that_cannot_be_read_hold_no_message(profiled):
    for row in Artifact.objects.all():
        row.file.delete(save=False)
    assert incidents_tell() == 1
    text = OutboxMail.objects.get().text
    assert "code: +18.0 %" in text
    assert "block.3" not in text


def test_a_commit_status_names_the_layer_that_moved_most(profiled, settings):
    settings.ALERTS_HTTP = True
    settings.OUTBOUND_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with http_sink() as sink:
        sink.say(200, b"[]", Content_Type="application/json")
        channel = Channel.objects.create(
            kind="github", name="forge", project=profiled.project, settings={"api_url": sink.url},
            secrets={"token": "t"},
        )  # fmt: skip
        Rule.objects.create(project=profiled.project, name="all").channels.add(channel)
        assert incidents_tell() == 1
        description = next(call.json["description"] for call in sink.calls if call.method == "POST")
    assert "; block.3 +600 µs" in description
    assert len(description) <= 140
