"""Signed links that let whoever reads a message mute its series: a page asks first, a POST mutes."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing

from perfsite.core.errors import NotFoundError
from perfsite.regressions.gathering import incident_followed
from perfsite.regressions.models import Incident

LIFETIME = timedelta(days=30)
_SALT = "perfsite.alerts.mute"


def mute_url(*, incident: Incident) -> str:
    """The address of the page that asks whether the incident's series are to be muted."""
    return f"{settings.SITE_URL}/mute/{signing.dumps(incident.pk, salt=_SALT)}/"


def mute_incident(*, token: str) -> Incident:
    """The incident that a link is about, or the one it was merged into since.

    Raises:
        NotFoundError: the link is not ours, or older than `LIFETIME`.
    """
    try:
        key = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        sentence = "This link is too old or was changed on its way. Mute the series on the incident's page."
        raise NotFoundError(sentence) from None
    rows = Incident.objects.select_related("project", "build")
    found = rows.filter(pk=key).first()
    if found is None:
        raise NotFoundError("The incident that this link is about is gone.")
    return found if found.merged_into_id is None else incident_followed(found)
