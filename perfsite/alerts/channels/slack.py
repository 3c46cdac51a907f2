"""Slack, by an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from perfsite.alerts.channels.base import CHART, ChannelKind, DeliveryError, Field, Outgoing
from perfsite.alerts.channels.calling import post
from perfsite.alerts.message import Message
from perfsite.alerts.message.forms import CHART_WORDS

# what an incoming webhook says when no message would be taken; the others speak of this one
_ABOUT_CHANNEL = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "posting_to_general_channel_denied",
        "team_disabled",
        "user_not_found",
    }
)
_LONGEST_BLOCK = 2900  # Slack takes 3,000 characters a section
_MOST_SECTIONS = 20


def notify(outgoing: Outgoing) -> None:
    """Post one message; Slack does not tell a second one from a first."""
    message = outgoing.message
    try:
        _post(outgoing, message)
    except DeliveryError as error:
        if not (message.image_url and error.is_message_only):
            raise
        # Slack refuses a message whose picture it cannot fetch; the rest is worth more than the picture
        _post(outgoing, replace(message, image_url=""))


def _post(outgoing: Outgoing, message: Message) -> None:
    body = json.dumps(blocks_of(message)).encode()
    post(outgoing.secrets["secret_url"], body=body, about_channel=_ABOUT_CHANNEL)


def blocks_of(message: Message) -> dict[str, Any]:
    """The message in Block Kit; `text` is what a notification on a phone shows."""
    blocks: list[dict[str, Any]] = [_section(f"*{_plain(message.headline)}*")]
    if message.image_url:
        blocks.append({"type": "image", "image_url": message.image_url, "alt_text": CHART_WORDS})
    for heading, lines in message.sections[:_MOST_SECTIONS]:
        body = "\n".join(_plain(line) for line in lines)
        blocks.append(_section(f"*{_plain(heading)}*\n{body}" if heading else body))
    if message.command:
        blocks.append(_section(f"{message.command_title}:\n```{_plain(message.command)}```"))
    links = "   ".join(f"<{url}|{_plain(title)}>" for title, url in message.links)
    if links:
        blocks.append(_section(links))
    return {"text": _plain(message.headline), "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_LONGEST_BLOCK]}}


def _plain(text: str) -> str:
    """What Slack would read as a mention or a link is escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


KIND = ChannelKind(
    name="slack",
    title="Slack",
    notify=notify,
    repeatable=False,
    fields=(
        Field("secret_url", "Incoming webhook URL", "https://hooks.slack.com/…", is_secret=True, is_url=True),
        CHART,
    ),
)
