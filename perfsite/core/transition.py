"""Compare-and-swap: a row changes its state only when it still is in the state we saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models


def state_swap(row: models.Model, *, to: str, legal: Mapping[str, frozenset[str]], **values: Any) -> bool:
    """Move `row.state` to `to` in one UPDATE; True when this caller did it, False when another was first.

    `legal` maps each state to the states that may follow it.  On success the instance is updated too.

    Raises:
        ValueError: the step is in no table: a mistake of the caller, not a race.
    """
    state: str = row.state  # type: ignore[attr-defined]
    if to not in legal[state]:
        raise ValueError(
            f"{type(row).__name__} {row.pk}: no step from {state!r} to {to!r}; "
            f"from there only {sorted(legal[state]) or 'nothing'} is legal"
        )
    manager = type(row)._default_manager
    changed = manager.filter(pk=row.pk, state=state).update(state=to, **values)
    if not changed:
        return False
    for name, value in {"state": to, **values}.items():
        setattr(row, name, value)
    return True
