"""What a project hears before anybody set a rule: every incident, at once, by mail, to its assignee."""

from __future__ import annotations

from perfsite.alerts.models import Channel, Rule
from perfsite.runs.models import Project

MAIL = "E-mail"
EVERYTHING = "Everything, at once"


def mail_channel(*, project: Project) -> Channel:
    """The project's mail channel, made when it is missing."""
    found = Channel.objects.filter(project=project, kind="email").order_by("id").first()
    if found is not None:
        return found
    return Channel.objects.get_or_create(project=project, name=MAIL, defaults={"kind": "email"})[0]


def defaults_ensure(*, project: Project) -> None:
    """Make the default rule where a project has none at all; one that is switched off stays so."""
    if Rule.objects.filter(project=project).exists():
        return
    rule, _ = Rule.objects.get_or_create(
        project=project, name=EVERYTHING, defaults={"recipients": ["assignee"]}
    )
    rule.channels.add(mail_channel(project=project))
