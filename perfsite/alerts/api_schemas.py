"""What the API says of rules, channels, mutes and what was told.  Changes are relative: 0.05 is 5 %."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from perfsite.alerts.channels import CHANNELS
from perfsite.alerts.channels.base import Field as ChannelField
from perfsite.alerts.checking import WHO
from perfsite.alerts.models import Channel, Mute, Notification, Rule, Telling
from perfsite.alerts.trying import TrialRow
from perfsite.core.parameters import LocalTime

_Word = Annotated[str, Field(max_length=200)]
_ID = {"ge": 1, "le": 2**63 - 1}


class NotificationOut(Schema):
    """Somebody told of an incident by a channel, or to be told; `error` is of the last try."""

    id: int
    incident_id: int | None
    occasion: str = Field(examples=["incident"])
    channel: str = Field(examples=["E-mail"])
    recipient: str = Field(examples=["ada@example.org"])
    state: str = Field(examples=["sent"])
    tries: int
    error: str
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None

    @staticmethod
    def resolve_channel(row: Notification) -> str:
        """The channel's name; empty when it was deleted."""
        return row.channel.name if row.channel else ""


class TellingOut(Schema):
    """What was decided about telling somebody of an incident; `notification_id` is the message it became."""

    id: int
    occasion: str = Field(examples=["incident"])
    channel: str = Field(examples=["E-mail"])
    recipient: str = Field(examples=["ada@example.org"])
    rule: str = Field(examples=["Everything, at once"])
    decision: str = Field(examples=["now"])
    why: str
    due_at: datetime | None
    notification_id: int | None
    created_at: datetime

    @staticmethod
    def resolve_channel(row: Telling) -> str:
        """By name."""
        return row.channel.name

    @staticmethod
    def resolve_rule(row: Telling) -> str:
        """By name; empty where the rule is gone."""
        return row.rule.name if row.rule else ""


class MailOut(Schema):
    """A mail that the embedded home kept instead of sending."""

    id: int
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    kept_at: datetime


class MailTextOut(MailOut):
    """A mail with its text."""

    text: str
    html: str


class TermsIn(Schema):
    """What a rule asks for and when it tells; an empty list asks for all, times are local to `zone`."""

    recipients: list[Annotated[str, Field(max_length=254)]] = Field(
        ["assignee"], max_length=50, description=f"For mail: {', '.join(WHO)}, or addresses."
    )
    cases: list[_Word] = Field(
        [], max_length=100, description="Patterns of model/runner/precision/shape.", examples=[["resnet*/*"]]
    )
    metrics: list[_Word] = Field([], max_length=100, examples=[["latency_p50"]])
    device_classes: list[_Word] = Field([], max_length=100, examples=[["h100"]])
    minimum: float = Field(0.0, ge=0, le=10, allow_inf_nan=False, description="The smallest change.")
    improvements: bool = False
    quiet_from: LocalTime | None = Field(None, examples=["22:00"])
    quiet_to: LocalTime | None = Field(None, examples=["07:00"])
    zone: str = Field("UTC", max_length=60, examples=["Europe/Berlin"])
    digest_at: LocalTime | None = Field(None, description="Once a day at this time; null: at once.")
    cap: int | None = Field(None, ge=1, le=1000, description="Messages a day; the rest in one summary.")


class RuleIn(TermsIn):
    """A rule, whole: what is left out has its default."""

    name: str = Field(min_length=1, max_length=80, examples=["resnet, at once"])
    channels: list[Annotated[int, Field(**_ID)]] = Field(max_length=50, examples=[[1]])
    is_enabled: bool = True


class RuleOut(Schema):
    """A rule; `channels` are ids."""

    id: int
    name: str = Field(examples=["resnet, at once"])
    is_enabled: bool
    channels: list[int] = Field(examples=[[1]])
    recipients: list[str] = Field(examples=[["assignee"]])
    cases: list[str] = Field(examples=[["resnet*/*"]])
    metrics: list[str]
    device_classes: list[str]
    minimum: float
    improvements: bool
    quiet_from: LocalTime | None
    quiet_to: LocalTime | None
    zone: str = Field(examples=["UTC"])
    digest_at: LocalTime | None
    cap: int | None
    created_at: datetime

    @staticmethod
    def resolve_channels(row: Rule) -> list[int]:
        """In the order they were made."""
        return sorted(channel.pk for channel in row.channels.all())


class RuleTryIn(TermsIn):
    """The terms of a rule, and over how many days of history to try them."""

    days: int = Field(30, ge=1, le=365)


class TrialRowOut(Schema):
    """One incident, or a build's improvements (`incident_id` null), and what would have been decided."""

    at: datetime
    build_id: int
    sha: str
    incident_id: int | None
    decision: str = Field(examples=["now"])
    why: str
    tell_at: datetime | None

    @staticmethod
    def resolve_sha(row: TrialRow) -> str:
        """The accused commit."""
        return row.build.sha

    @staticmethod
    def resolve_build_id(row: TrialRow) -> int:
        """Of the accused commit."""
        return row.build.pk

    @staticmethod
    def resolve_incident_id(row: TrialRow) -> int | None:
        """None for improvements."""
        return row.incident.pk if row.incident else None

    @staticmethod
    def resolve_decision(row: TrialRow) -> str:
        """One of `now`, `hold`, `digest`, `capped`, `muted`, `unasked`."""
        return row.decision.word

    @staticmethod
    def resolve_why(row: TrialRow) -> str:
        """For people."""
        return row.decision.why

    @staticmethod
    def resolve_tell_at(row: TrialRow) -> datetime | None:
        """When it would have been told."""
        return row.decision.at


class TrialOut(Schema):
    """What a rule would have told over the last days; `told` would have been messages of their own."""

    days: int = Field(examples=[30])
    told: int
    counts: dict[str, int] = Field(examples=[{"now": 3, "muted": 1}])
    rows: list[TrialRowOut]


class ChannelFieldOut(Schema):
    """One thing that a channel of a kind has to be told."""

    name: str = Field(examples=["url"])
    title: str = Field(examples=["URL"])
    help: str
    is_secret: bool
    is_required: bool
    choices: dict[str, str] = Field(
        description="What it may be, in words by value; any text where there is none.",
        examples=[{"": "if the project is public", "always": "always", "never": "never"}],
    )

    @staticmethod
    def resolve_choices(row: ChannelField) -> dict[str, str]:
        """By value."""
        return dict(row.choices)


class ChannelKindOut(Schema):
    """A kind of channel and its fields."""

    name: str = Field(examples=["webhook"])
    title: str = Field(examples=["Webhook"])
    takes_recipient: bool
    fields: list[ChannelFieldOut]


class ChannelEditIn(Schema):
    """A channel's name and fields; a secret that is left out stays as it is."""

    name: str = Field(min_length=1, max_length=80, examples=["Deploy hook"])
    fields: dict[str, Annotated[str, Field(max_length=2000)]] = Field(
        {}, examples=[{"url": "https://hooks.example.org/perf"}]
    )


class ChannelIn(ChannelEditIn):
    """A new channel; `/channel-kinds` lists the kinds and their fields."""

    kind: str = Field(max_length=20, examples=["webhook"])


class ChannelSwitchIn(Schema):
    """Whether messages go out by it."""

    is_enabled: bool


class ChannelOut(Schema):
    """A channel; of its secrets only which there are, never what they are."""

    id: int
    kind: str = Field(examples=["webhook"])
    name: str = Field(examples=["Deploy hook"])
    settings: dict[str, str] = Field(examples=[{"url": "https://hooks.example.org/perf"}])
    secrets_set: list[str] = Field(examples=[["secret"]])
    is_enabled: bool
    is_usable: bool
    disabled_at: datetime | None
    disabled_reason: str
    rests_until: datetime | None = Field(description="Not called before: it did not answer lately.")
    refused: int = Field(description="Messages that it refused since it took one; 5 disable it.")
    created_at: datetime

    @staticmethod
    def resolve_refused(row: Channel) -> int:
        """How many."""
        return len(row.refused)

    @staticmethod
    def resolve_settings(row: Channel) -> dict[str, str]:
        """Only what its kind says is no secret, whatever the column holds."""
        kind = CHANNELS.get(row.kind)  # a kind that a release dropped shows nothing
        shown = {field.name for field in kind.fields if not field.is_secret} if kind else set()
        return {name: str(value) for name, value in row.settings.items() if name in shown}

    @staticmethod
    def resolve_secrets_set(row: Channel) -> list[str]:
        """The names alone."""
        return sorted(name for name, value in row.secrets.items() if value)


class ChannelMadeOut(ChannelOut):
    """A channel that was stored; `secret` is what was made for it, shown this once, else empty."""

    secret: str = Field("", examples=["whsec_c2hvd24gdGhpcyBvbmNl"])


class MuteIn(Schema):
    """Until when nobody hears of an incident's series, and why."""

    until: datetime = Field(description="With its offset; a mute ends within a year.")
    reason: str = Field(min_length=1, max_length=500, examples=["The bench is being moved."])


class MutedOut(Schema):
    """How many series were muted."""

    series: int = Field(examples=[2])


class MuteOut(Schema):
    """A series nobody hears of until the end."""

    id: int
    series_id: int
    series: str = Field(examples=["resnet50/tensorrt/fp16/b1 latency_p50"])
    until: datetime
    reason: str = Field(examples=["The bench is being moved."])
    actor: str
    created_at: datetime

    @staticmethod
    def resolve_series(row: Mute) -> str:
        """For people."""
        return row.series.label
