"""What the tables of `perfsite.toml` are made of: names from our own tables, arrays, patterns.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import partial
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from benchmarks.cases import PRECISIONS, RUNNERS, SUITES
from perfsite.runs.globs import glob_compile
from workers.messages import device_class_slug

_T = TypeVar("_T")


def word_like(word: str, known: Mapping[str, object] | list[str]) -> str:
    """`; did you mean 'x'?` when one of the known words is close, with the known ones after it."""
    close = difflib.get_close_matches(word[:60], list(known), n=1)
    return (f"; did you mean {close[0]!r}?" if close else ";") + f" known: {', '.join(known)}"


def _row(name: str, *, table: Mapping[str, str], what: str) -> str:
    if name not in table:
        raise ValueError(f"unknown {what} {name[:60]!r}{word_like(name, table)}")
    return name


def _once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is listed twice")
    return values


def _filled(values: tuple[_T, ...]) -> tuple[_T, ...]:
    if not values:
        raise ValueError("should not be empty; leave the key out to use its default")
    return values


def _pattern(text: str) -> str:
    glob_compile(text)
    return text


def _device_class(text: str) -> str:
    slug = device_class_slug(text)
    if slug != text or len(text) > 61:
        raise ValueError(f"{text[:80]!r} is no device class; did you mean {slug[:61]!r}?")
    return text


Runner = Annotated[str, AfterValidator(partial(_row, table=RUNNERS, what="runner"))]
Precision = Annotated[str, AfterValidator(partial(_row, table=PRECISIONS, what="precision"))]
Suite = Annotated[str, AfterValidator(partial(_row, table=SUITES, what="suite"))]
Batch = Annotated[int, Field(ge=1, le=65536)]
Seconds = Annotated[float, Field(gt=0, le=43200, allow_inf_nan=False)]
Pattern = Annotated[str, AfterValidator(_pattern)]
DeviceClass = Annotated[str, AfterValidator(_device_class)]
# TOML has arrays where we want tuples; the elements stay strict
Array = Annotated[tuple[_T, ...], Field(strict=False, max_length=100), AfterValidator(_once)]
# pydantic's own min_length also complains when the only element is the mistake
Filled = Annotated[Array[_T], AfterValidator(_filled)]


class Table(BaseModel):
    """What all tables share: immutable, strict, an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
