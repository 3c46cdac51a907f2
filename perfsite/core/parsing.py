"""Requests as the API reads them: text that no database stores is taken out first."""

from __future__ import annotations

import json
import math
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from perfsite.core.text import text_clean


class CleanParser(Parser):
    """JSON and query strings without NUL characters and lone surrogates."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The JSON body; numbers that no database keeps (NaN, Infinity, 1e999) are refused."""
        return text_clean(json.loads(request.body, parse_constant=_refuse, parse_float=_finite))

    def parse_querydict(self, data: MultiValueDict, list_fields: list[str], request: HttpRequest) -> Any:
        """The query as a mapping."""
        return text_clean(super().parse_querydict(data, list_fields, request))


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
