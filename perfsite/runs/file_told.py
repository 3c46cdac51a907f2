"""An ONNX file or an engine that is delivered instead of a commit, and what to measure it with: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from benchmarks.cases import ModelSource
from perfsite.core.errors import ConfigError
from perfsite.runs.config import CaseGroup, Config
from perfsite.runs.config_errors import FILE, errors_told
from perfsite.runs.config_rows import Document
from workers.messages import FILE_NAMES

FileFormat = Literal["onnx", "engine"]
MAX_URL = 2000


@dataclass(frozen=True)
class FileTold:
    """A delivered file: where to fetch it, what it must be, and what to measure.

    `size` is in bytes, None when the sender did not say; `rules` has the keys `measure` (those of a model in
    `perfsite.toml`), `devices`, `limits` and `level`.
    """

    url: str
    sha256: str
    format: FileFormat
    model: str
    size: int | None = None
    rules: Mapping[str, Any] | None = None
    subject: str = ""
    author_name: str = ""
    author_email: str = ""
    made_at: datetime | None = None


def url_checked(url: str) -> str:
    """The URL, when it is one of a file somewhere, without a password in it.

    Raises:
        ValueError: it is not; the message says why.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url[:80]!r} is no URL: {error}") from None
    if len(url) > MAX_URL or not url.isprintable() or any(sign in url for sign in " \\"):
        raise ValueError(f"a URL has at most {MAX_URL} printable characters and no space or backslash")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "the URL holds a user name or password, and URLs are shown on pages; sign it another way"
        )
    if "::" in parts.scheme or not parts.scheme or (parts.scheme != "file" and not parts.hostname):
        raise ValueError(f"{url[:80]!r} is no URL of a file: scheme and host are needed")
    if parts.scheme == "file" and (parts.netloc or port):
        raise ValueError("a file: URL names no host; write file:///folder/file.onnx")
    return url


def file_config(*, model: str, rules: Mapping[str, Any]) -> Config:
    """The rules of a delivered file, as if its model stood in a `perfsite.toml`.

    Raises:
        ConfigError: they say what this site does not know; the message names the key, from `measure` on.
    """
    unknown = sorted(set(rules) - {"measure", "devices", "limits", "level"})
    if unknown:
        raise ConfigError(f"{unknown[0]}: unknown key; known: measure, devices, limits, level")
    measure = rules.get("measure") or {}
    if not isinstance(measure, dict):
        raise ConfigError("measure: should be an object with the keys of a model in perfsite.toml")
    sources = {"entry", "catalogue", "onnx", "paths", "evaluate", "evaluate_lower"} & set(measure)
    if sources:
        raise ConfigError(f"measure.{sorted(sources)[0]}: a delivered file has no repository for it")
    table = {"runners": ["onnxruntime"], **measure, "onnx": FILE_NAMES["onnx"]}
    rest = {name: rules[name] for name in ("devices", "limits", "level") if name in rules}
    try:
        return Config(Document.model_validate({**rest, "models": {model: table}}))
    except ValidationError as error:
        told = errors_told(error, {}).replace(f"models.{model}", "measure").replace(f"{FILE}, ", "")
        raise ConfigError(told) from None


def file_groups(config: Config, *, file_format: FileFormat) -> list[CaseGroup]:
    """The case groups of a delivered file, their source being the file itself."""
    source = ModelSource(kind=file_format, ref=FILE_NAMES[file_format])
    return [replace(group, source=source) for group in config.groups()]
