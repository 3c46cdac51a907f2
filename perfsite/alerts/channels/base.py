"""What a channel is: one small module with one `notify`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfsite.alerts.message import Message


class DeliveryError(Exception):
    """A message did not go out.  `permanent` is true when another try cannot end otherwise."""

    def __init__(self, sentence: str, *, permanent: bool = False) -> None:
        super().__init__(sentence)
        self.permanent = permanent


@dataclass(frozen=True)
class Channel:
    """A way to tell people.

    `notify(message, recipient, key)` sends or raises DeliveryError; it may take seconds, so it is
    never called in a transaction.  `repeatable` is true when the other side knows a second message
    of the same `key` from a first, so that a send whose outcome is unknown may be repeated.
    """

    name: str
    notify: Callable[[Message, str, str], None]
    repeatable: bool
