"""Microsoft Teams, by a workflow's webhook that takes an adaptive card (schema 1.4)."""

from __future__ import annotations

import json
from typing import Any

from perfsite.alerts.channels.base import CHART, ChannelKind, Field, Outgoing
from perfsite.alerts.channels.calling import post
from perfsite.alerts.message import Message
from perfsite.alerts.message.forms import CHART_WORDS, markdown_escape

_COLOURS = {"regressed": "Attention", "improved": "Good", "quiet": "Default"}
_MOST_SECTIONS = 20
# the codes by which Power Automate says that the workflow runs for no message
_ABOUT_CHANNEL = frozenset(
    {
        "DirectApiAuthorizationRequired",
        "MissingApiVersionParameter",
        "WorkflowNotFound",
        "WorkflowTriggerIsNotEnabled",
        "WorkflowTriggerNotFound",
    }
)


def notify(outgoing: Outgoing) -> None:
    """Post one card; Teams does not tell a second one from a first."""
    body = json.dumps(card_of(outgoing.message)).encode()
    post(outgoing.secrets["secret_url"], body=body, about_channel=_ABOUT_CHANNEL)


def card_of(message: Message) -> dict[str, Any]:
    """The message as Teams' workflows take it: one attachment that is an adaptive card."""
    colour = _COLOURS[message.tone]
    body: list[dict[str, Any]] = [_block(message.headline, weight="Bolder", size="Medium", color=colour)]
    if message.image_url:
        body.append({"type": "Image", "url": message.image_url, "altText": CHART_WORDS, "size": "Stretch"})
    for heading, lines in message.sections[:_MOST_SECTIONS]:
        if heading:
            body.append(_block(heading, weight="Bolder", spacing="Medium"))
        body += [_block(line, spacing="Small", isSubtle=bool(heading)) for line in lines]
    if message.command:
        body += [
            _block(f"{message.command_title}:"),
            _block(message.command, fontType="Monospace", spacing="Small"),
        ]
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in message.links],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": markdown_escape(text), "wrap": True, **more}


KIND = ChannelKind(
    name="teams",
    title="Microsoft Teams",
    notify=notify,
    repeatable=False,
    fields=(Field("secret_url", "Workflow webhook URL", is_secret=True, is_url=True), CHART),
)
