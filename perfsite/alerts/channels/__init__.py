"""Every channel, one row each: a new one is a module beside this file and a row here."""

from perfsite.alerts.channels import email
from perfsite.alerts.channels.base import Channel, DeliveryError

__all__ = ["CHANNELS", "Channel", "DeliveryError"]

CHANNELS: dict[str, Channel] = {channel.name: channel for channel in (email.CHANNEL, email.WITHDRAWAL)}
