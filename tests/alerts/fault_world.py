"""The incidents of a fault run, and its reckoning: what the servers took against what the database says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from perfsite.alerts.models import Channel, Notification, Rule, Sending, Telling
from perfsite.regressions.models import Incident, Regression, Verdict
from perfsite.results.models import Series
from perfsite.runs.models import Build
from tests import factories
from tests.alerts.fault_servers import Taken

# by what the servers call it: where they took it, and whether they know a second by its key
PLACES = {"webhook": "hook", "slack": "chat", "github": "repos"}
_SECRET = "whsec_c2VjcmV0LW9mLXRoZS1mYXVsdC1ydW4="


def world_make(*, count: int, sink: str) -> None:
    """A project with four channels and one rule, and `count` incidents of one regression each."""
    project = factories.project_make(slug="faults", owner_email="owner@example.org")
    channels = [
        Channel.objects.create(project=project, kind="email", name="mail"),
        Channel.objects.create(
            project=project, kind="webhook", name="hook", settings={"url": f"{sink}/hook"},
            secrets={"secret": _SECRET},
        ),
        Channel.objects.create(
            project=project, kind="slack", name="chat", secrets={"secret_url": f"{sink}/chat"}
        ),
        Channel.objects.create(
            project=project, kind="github", name="forge", secrets={"token": "t"},
            settings={"api_url": sink, "repository": "acme/models"},
        ),
    ]  # fmt: skip
    rule = Rule.objects.create(project=project, name="everything", recipients=["owner"])
    rule.channels.set(channels)
    series = Series.objects.create(
        key="faults", project=project, branch="main", model="cnn", runner="torch", precision="fp32",
        suite="latency", shape="b1", device_class="cpu", metric="latency_p50",
    )  # fmt: skip
    builds = [factories.build_make(project, ordinal) for ordinal in range(1, count + 2)]
    for base, build in pairwise(builds):
        _incident_make(series, build, base)


def _incident_make(series: Series, build: Build, base: Build) -> None:
    verdict = Verdict.objects.create(
        series=series, build=build, base=base, kind="regressed", stage="confirmation", before=1.0, after=1.2,
        relative=0.2, relative_low=0.19, relative_high=0.21, evidence={"pairs": 8}, sentence="slower",
        detector="faults", data_sha256="0" * 64,
    )  # fmt: skip
    incident = Incident.objects.create(project_id=build.project_id, build=build, range_start=base)
    Regression.objects.create(incident=incident, series=series, build=build, verdict=verdict)


def standing() -> dict[str, int]:
    """How far it is; `open` is what a sender still has to do."""
    untold = Incident.objects.filter(tellings=None).count()
    waiting = Telling.objects.filter(notification=None).count()
    open_ = Notification.objects.filter(state__in=("queued", "sending")).count()
    return {"open": untold + waiting + open_, "sent": Notification.objects.filter(state="sent").count()}


def reckon(taken: Taken, mails: dict[int, list[str]]) -> dict[str, Any]:
    """The figures."""
    rows = Notification.objects.exclude(incident=None).select_related("channel")
    lost: list[str] = []
    doubled: list[str] = []
    arrived_uncertain = repeats = 0
    for row in rows:
        kind = row.channel.kind if row.channel else ""
        count, keys = _arrived(kind, row.incident_id or 0, taken, mails)
        repeats += max(0, count - 1)
        arrived_uncertain += row.state == "uncertain" and count > 0
        if row.state == "sent" and not count:
            lost.append(f"{kind} {row.incident_id}")
        # a chat knows no keys: any second one is doubled; elsewhere a second key is
        if (count if kind == "slack" else keys) > 1:
            doubled.append(f"{kind} {row.incident_id}")
    wanted = Incident.objects.count() * 4
    states = rows.values_list("state", flat=True)
    return {
        "incidents": Incident.objects.count(),
        "notifications": len(states),
        "sent": sum(state == "sent" for state in states),
        "retried": Sending.objects.filter(number__gt=1).count(),
        "doubled": len(doubled),
        "lost": len(lost) + wanted - len(states),
        "uncertain": sum(state == "uncertain" for state in states),
        "uncertain_arrived": arrived_uncertain,
        "failed": sum(state == "failed" for state in states),
        "repeats_known_by_key": repeats - len([one for one in doubled if one.startswith("slack")]),
        "unfinished": standing()["open"],
        "calls": dict(taken.calls),
        "tries_lost_to_kills": Sending.objects.filter(state="lost").count(),
        "which": {"lost": lost[:5], "doubled": doubled[:5]},
    }


def _arrived(kind: str, incident: int, taken: Taken, mails: dict[int, list[str]]) -> tuple[int, int]:
    """How often it arrived, and under how many keys."""
    if kind == "email":
        found = mails.get(incident, [])
        return len(found), len(set(found))
    place = PLACES[kind]
    return taken.incidents[place][incident], len(taken.keys[place][incident])
