"""What a service's own check says, as a form tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms

from perfsite.core.errors import PerfsiteError


def asked(check: Callable[..., Any], *values: Any) -> Any:
    """What the check makes of the values.

    Raises:
        ValidationError: the check's sentence, which stands beside the field.
    """
    try:
        return check(*values)
    except (PerfsiteError, ValueError) as error:
        raise forms.ValidationError(str(error)) from None
