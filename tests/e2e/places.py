"""Where each page of the site is, by its name in the URL configuration, on a generated history.

A page that is in none of these lists makes a test fail: nobody would look at it.
"""

from collections.abc import Iterator
from datetime import time, timedelta

from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from perfsite.access.models import Membership
from perfsite.access.services import token_add
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.models import Channel, Mute, OutboxMail, Rule
from perfsite.alerts.mute_links import mute_url
from perfsite.dashboards.services import note_add
from perfsite.pulls.models import PullHead, PullRequest
from perfsite.regressions.confirmation.asked import change_mark
from perfsite.regressions.models import Incident
from perfsite.results.models import Series
from perfsite.runs.models import Build, Job, Project, Schedule
from perfsite.runs.schedules import Timing, schedule_add

NO_PAGES = {
    "live": "a part of the home page",
    "run-live": "a part of the run's page",
    "series-data": "JSON: what the chart draws",
    "series-samples": "JSON: what the chart draws",
    "artifact": "a file, as it was stored",
    "chart": "a picture, for a chat's servers",
    "mail": "one mail, as its sender wrote it",
    "logout": "a POST",
    "login-link": "a way to a page",
    "healthz": "a probe",
    "readyz": "a probe",
    "metrics": "a probe",
    "api-nothing": "the API's answer to an address that it does not have",
}


def names_of_pages(client) -> set[str]:
    """The name of every address that answers a GET with a page, from the URL configuration."""
    found = set()
    for entry in _entries(get_resolver().url_patterns):
        if entry.name in NO_PAGES:
            continue
        parts = dict.fromkeys(entry.pattern.converters, 1)
        words = {"action": "note", "forge": "github", "slug": "zoo", "kind": "email", "token": "x"}
        given = parts | {key: word for key, word in words.items() if key in parts}
        if client.get(reverse(entry.name, kwargs=given)).status_code != 405:  # what only takes a POST is none
            found.add(entry.name)
    return found


def _entries(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    """Every address that has a name, but for the API's."""
    for entry in patterns:
        if isinstance(entry, URLPattern):
            yield entry
        elif entry.namespace is None:
            yield from _entries(entry.url_patterns)


def places_make(series: Series) -> dict[str, str]:
    """The address of every page, by its name, after what it shows was made where the history has none."""
    project = series.project
    build = Build.objects.filter(points__series=series).order_by("-ordinal").first()
    change_mark(series=series, build_id=build.pk, actor="ada")
    run = build.runs.order_by("pk").first()
    incident = Incident.objects.filter(project=project).order_by("pk").first()
    soak = Job.objects.filter(artifacts__name__startswith="soak-").order_by("pk").first()
    note = note_add(series=series, build_id=build.pk, author="ada", text="The bench was moved.")
    rule, channel = _alerts_make(series)
    made = {
        "build": build.pk,
        "incident": incident.pk,
        "alert-rule": rule.pk,
        "alert-rule-remove": rule.pk,
        "alert-channel-remove": channel.pk,
        "schedule": _schedule_make(project).pk,
        "member-remove": _member_make(project).pk,
    }
    made["schedule-remove"] = made["schedule"]
    plain = (
        "project", "trends", "builds", "project-incidents", "schedules", "pulls", "grid", "compare",
        "grading", "alerts", "alert-rule-new", "project-settings", "members", "tokens", "webhook-settings",
    )  # fmt: skip
    of_the_site = ("home", "project-new", "incidents", "workers", "audit", "outbox", "login", "api-docs")
    return {
        **{name: reverse(name) for name in of_the_site},
        **{name: reverse(name, args=[project.slug]) for name in plain},
        **{name: reverse(name, args=[project.slug, key]) for name, key in made.items()},
        "moved": f"{reverse('moved')}?since=year",
        "search": f"{reverse('search')}?q=resnet50",
        "trends": f"{reverse('trends', args=[project.slug])}?q=p50",
        "hardware": f"{reverse('hardware', args=[project.slug])}?p99=50&qps=100",
        "pull": reverse("pull", args=[project.slug, "github", _pull_make(project).number]),
        "alert-channel-new": reverse("alert-channel-new", args=[project.slug, "slack"]),
        "alert-channel": reverse("alert-channel", args=[project.slug, channel.kind, channel.pk]),
        "mute": "/mute/" + mute_url(incident=incident).split("/mute/")[1],
        "series": f"{reverse('series', args=[series.pk])}?build={build.pk}",
        "note-remove": reverse("note-remove", args=[series.pk, note.pk]),
        "mark-remove": reverse("mark-remove", args=[series.pk, build.pk]),
        "run": reverse("run", args=[run.pk]),
        "soak": reverse("soak", args=[soak.pk]),
    }  # fmt: skip


def _alerts_make(series: Series) -> tuple[Rule, Channel]:
    project = series.project
    defaults_ensure(project=project)
    token_add(name="pipeline", purpose="report", project_id=project.pk, expires_at=None, created_by="ada")
    until = timezone.now() + timedelta(days=9)
    Mute.objects.create(project=project, series=series, until=until, reason="known", actor="ada")
    OutboxMail.objects.create(
        message_id="<1@perfsite>", sender="perfsite@localhost", recipients=["ada@example.org"],
        subject="cnn got slower", text="See the page.", html="<p>See the page.</p>",
    )  # fmt: skip
    return Rule.objects.filter(project=project).first(), Channel.objects.filter(project=project).first()


def _schedule_make(project: Project) -> Schedule:
    timing = Timing(name="nightly", what="full", at=time(2), days=range(7))
    return schedule_add(project=project, timing=timing, now=timezone.now(), actor="ada")


def _member_make(project: Project) -> Membership:
    user = get_user_model().objects.create_user("bob")
    return Membership.objects.create(user=user, project=project, role="triager")


def _pull_make(project: Project) -> PullRequest:
    pull = PullRequest.objects.create(
        project=project, forge="github", number=7, author="eve", title="Fuse the layers", from_fork=True
    )
    PullHead.objects.create(pull=pull, sha="a" * 40, state="waiting", reason="it comes from a fork")
    return pull
