"""Every kind of channel, one row each: a new one is a module beside this file and a row here."""

from perfsite.alerts.channels import anywhere, email, github, gitlab, slack, teams, webhook
from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Field, Outgoing

__all__ = ["CHANNELS", "ChannelKind", "DeliveryError", "Field", "Outgoing", "github", "gitlab"]

CHANNELS: dict[str, ChannelKind] = {
    kind.name: kind
    for kind in (
        email.KIND,
        slack.KIND,
        teams.KIND,
        webhook.KIND,
        github.KIND,
        gitlab.KIND,
        anywhere.KIND,
    )
}
