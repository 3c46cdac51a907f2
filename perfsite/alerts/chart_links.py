"""Signed addresses of an incident's picture, for chats whose servers fetch pictures and cannot log in.

An address shows one series around one build and nothing else, to whoever has it, for thirty days.  It names
the channel that it was written for: as soon as that channel shows no pictures any more, nor does the address.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.core.cache import cache

from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.channels.base import CHART
from perfsite.alerts.facts import chart_of
from perfsite.alerts.models import Channel
from perfsite.core.errors import NotFoundError
from perfsite.core.outbound import is_public_host
from perfsite.regressions.models import Verdict

LIFETIME = timedelta(days=30)
KEPT = timedelta(minutes=10)
_SALT = "perfsite.alerts.chart"


def chart_url(*, verdict_id: int | None, channel: Channel) -> str:
    """The address of a verdict's picture; empty where none is shown.

    None is, where the channel shows none, and where nobody outside could fetch it: the site's own address is
    not https, or leads to no public one.
    """
    site = urlsplit(settings.SITE_URL)
    if verdict_id is None or not _shows(channel):
        return ""
    if site.scheme != "https" or not is_public_host(site.hostname or "", site.port or 443):
        return ""
    return f"{settings.SITE_URL}/charts/{signing.dumps([verdict_id, channel.pk], salt=_SALT)}.png"


def chart_shown(*, token: str) -> bytes:
    """The PNG that an address is about; drawn once in ten minutes, however often it is fetched.

    Raises:
        NotFoundError: the address is not ours, too old, or its channel shows no pictures any more.
    """
    try:
        verdict_id, channel_id = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        raise NotFoundError("this picture's address is too old, or was changed on its way") from None
    channel = Channel.objects.select_related("project").filter(pk=channel_id).first()
    if channel is None or not _shows(channel):
        raise NotFoundError("the channel that this picture was for shows none any more")
    key = f"alerts.chart.{channel.project_id}.{verdict_id}"
    picture: bytes | None = cache.get(key)
    if picture is None:
        picture = _drawn(verdict_id, channel)
        cache.set(key, picture, KEPT.total_seconds())
    if not picture:
        raise NotFoundError("what this picture is about is gone")
    return picture


def _shows(channel: Channel) -> bool:
    """Whether the channel's messages have a chart: as it is set, else where the project is public."""
    kind = CHANNELS.get(channel.kind)
    if kind is None or CHART not in kind.fields:
        return False
    chosen = channel.settings.get(CHART.name, "")
    return chosen == "always" or (chosen == "" and channel.project.is_public)


def _drawn(verdict_id: int, channel: Channel) -> bytes:
    """The picture; empty where the verdict, or its place on the branch, is gone."""
    rows = Verdict.objects.select_related("series", "build")
    verdict = rows.filter(pk=verdict_id, series__project=channel.project_id).first()
    if verdict is None:
        return b""
    is_better = verdict.kind == Verdict.Kind.IMPROVED
    return chart_of(verdict, tone="improved" if is_better else "regressed")
