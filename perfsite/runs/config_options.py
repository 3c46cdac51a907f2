"""The tables `options.SUITE` of `perfsite.toml`, as pydantic checks them: pure.

Each suite's table takes the rows of `benchmarks/options.py` that concern the suite or a runner, so
that a new option is a row there and nothing here.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import GetPydanticSchema
from pydantic_core import CoreSchema, core_schema

from benchmarks.cases import SUITES
from benchmarks.options import OPTIONS, PROVIDER_PREFIX, OptionValue, option_checked

OptionTables = dict[str, dict[str, tuple[OptionValue, ...]]]
"""Suite -> option -> its values: each makes a case of its own."""

PROVIDER = PROVIDER_PREFIX.rstrip(".")
MOST_VALUES = 100
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


def options_known(suite: str) -> list[str]:
    """The keys that the table of a suite takes."""
    rows = (name for name, row in OPTIONS.items() if not row.suites or suite in row.suites)
    return [*rows, PROVIDER]


def _values(given: Any, *, name: str) -> tuple[OptionValue, ...]:
    """The values of one option, given as one or as an array."""
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise ValueError("should not be empty; leave the key out to use its default")
    if len(listed) > MOST_VALUES:
        raise ValueError(f"should have at most {MOST_VALUES} elements")
    if name.startswith(PROVIDER_PREFIX) and any(isinstance(one, list | dict) for one in listed):
        raise ValueError("a provider's option is a text or a number, or an array of them")
    try:
        values = tuple(option_checked(name, one) for one in listed)
    except OverflowError:  # TOML's whole numbers may be larger than any float
        raise ValueError(f"option {name} is not that large") from None
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice")
    return values


def _provider_name(name: str) -> str:
    if not _PROVIDER_NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no provider option: letters, digits and '_' only")
    return name


def _checked(name: str) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(partial(_values, name=name))


def _suite_schema(suite: str) -> CoreSchema:
    names = core_schema.no_info_after_validator_function(_provider_name, core_schema.str_schema())
    provider = core_schema.dict_schema(names, _checked(f"{PROVIDER_PREFIX}*"))
    fields = {
        name: core_schema.typed_dict_field(provider if name == PROVIDER else _checked(name), required=False)
        for name in options_known(suite)
    }
    table = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
    return core_schema.no_info_after_validator_function(_flat, table)


def _flat(table: dict[str, Any]) -> dict[str, tuple[OptionValue, ...]]:
    """TOML's nested table `provider` as options called `provider.NAME`."""
    provider = table.pop(PROVIDER, {})
    return {**table, **{f"{PROVIDER_PREFIX}{name}": values for name, values in provider.items()}}


def _tables_schema(_source: Any, _handler: Any) -> CoreSchema:
    fields = {suite: core_schema.typed_dict_field(_suite_schema(suite), required=False) for suite in SUITES}
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid")


SuiteOptions = Annotated[OptionTables, GetPydanticSchema(_tables_schema)]
"""`[defaults.options.SUITE]` and `[models.NAME.options.SUITE]`."""
