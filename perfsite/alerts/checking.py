"""What a rule's fields may be: the form of the page and the API ask here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from perfsite.core.errors import PerfsiteError

WHO = ("assignee", "owner")
"""Whom a rule may name without an address."""


def zone_checked(name: str) -> str:
    """A time zone by its name in the IANA database.

    Raises:
        PerfsiteError: there is none of that name.
    """
    zone = name.strip()
    if zone not in available_timezones():
        raise PerfsiteError(f"{zone[:60]!r} is no time zone; write it as Europe/Berlin")
    return zone


def recipients_checked(names: Sequence[str]) -> list[str]:
    """Words of `WHO`, or addresses of e-mail.

    Raises:
        PerfsiteError: one is neither.
    """
    for name in names:
        if name in WHO:
            continue
        try:
            validate_email(name)
        except ValidationError:
            raise PerfsiteError(
                f"{name[:80]!r} is no address of e-mail; {' and '.join(WHO)} need none"
            ) from None
    return list(names)


def quiet_checked(start: Any, end: Any) -> None:
    """Quiet hours have both ends or none.

    Raises:
        PerfsiteError: one is missing.
    """
    if (start is None) != (end is None):
        raise PerfsiteError("quiet hours need both ends")


def rule_checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a rule that tell when and to whom.

    Raises:
        PerfsiteError: one of them makes no sense.
    """
    quiet_checked(values["quiet_from"], values["quiet_to"])
    return {
        **values,
        "zone": zone_checked(values["zone"]),
        "recipients": recipients_checked(values["recipients"]),
    }
