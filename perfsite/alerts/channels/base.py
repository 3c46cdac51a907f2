"""What a channel is: one small module with one `notify`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from perfsite.alerts.message import Message


class DeliveryError(Exception):
    """A message did not go out.

    `permanent` is true when another try cannot end otherwise: the channel is of no use until somebody mends
    it, unless `is_message_only`, when it is this message that was refused; `is_gone` when that is because
    what it is about is not there any more, so that nobody misses it.  `is_misdirected` when the address led
    nowhere that is called: that may pass, and disables the channel once the tries are spent.  `is_unknown`
    when the message may have gone out all the same (the answer was lost); `is_silent` when no answer came at
    all; `retry_after` is how long the other side asked us to wait.
    """

    def __init__(
        self,
        sentence: str,
        *,
        permanent: bool = False,
        is_message_only: bool = False,
        is_gone: bool = False,
        is_misdirected: bool = False,
        is_unknown: bool = False,
        is_silent: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(sentence)
        self.permanent = permanent
        self.is_message_only = is_message_only or is_gone
        self.is_gone = is_gone
        self.is_misdirected = is_misdirected
        self.is_unknown = is_unknown
        self.is_silent = is_silent or is_unknown
        self.retry_after = retry_after


@dataclass(frozen=True)
class Outgoing:
    """One message on its way: `key` is the same for every try; `recipient` is empty where none is named."""

    message: Message
    key: str
    project_id: int
    recipient: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """One thing that a channel has to be told; a secret is never shown again.

    The name of a secret says that it is one (`secret`, `token`): the audit log hides such values.
    """

    name: str
    title: str
    help: str = ""
    is_secret: bool = False
    is_required: bool = True
    is_url: bool = False
    choices: tuple[tuple[str, str], ...] = ()  # values with their words, the default one first


@dataclass(frozen=True)
class ChannelKind:
    """A way to tell people.

    `notify(outgoing)` sends or raises DeliveryError; it may take seconds, so it is never called in a
    transaction.  `repeatable` is true when a second message of the same key is known as such on the other
    side, so that a send whose outcome is unknown may be repeated.  `takes_recipient` says that each
    recipient is a message of their own, and that a refusal concerns the recipient, not the channel.
    """

    name: str
    title: str
    notify: Callable[[Outgoing], None]
    repeatable: bool
    fields: tuple[Field, ...] = ()
    takes_recipient: bool = False


# whoever has its address sees a picture without a login: of a private project only where somebody says so
CHART = Field(
    "chart",
    "Chart",
    "the chat's servers fetch it by an address that shows this one chart to whoever has it, for 30 days",
    is_required=False,
    choices=(("", "if the project is public"), ("always", "always"), ("never", "never")),
)
