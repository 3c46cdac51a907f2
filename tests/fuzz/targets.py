"""What is fed: each reader of input from outside, and the one way in which it may say no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.report import Report
from perfsite.core.errors import ConfigError
from perfsite.runs.config import config_parse
from perfsite.webhooks.forges import FORGES
from perfsite.webhooks.payloads.events import PayloadError
from tests.fuzz import right
from tests.fuzz.inputs import bodies, torn

HEADERS = {
    "github": [{"X-GitHub-Event": name} for name in ("push", "pull_request", "ping", "release", "\x00")],
    "gitlab": [{"X-Gitlab-Event": name} for name in ("Push Hook", "Merge Request Hook", "Tag Push Hook", "")],
    "generic": [{}],
}
_RIGHT = {"github": right.GITHUB, "gitlab": right.GITLAB, "generic": right.GENERIC}


@dataclass(frozen=True)
class Target:
    """`feed` takes what `inputs` makes and tells how it ended: a word that is counted.

    Any exception that it lets through is a finding.
    """

    inputs: st.SearchStrategy[Any]
    feed: Callable[[Any], str]


def refused(error: Exception) -> str:
    """A refusal says why."""
    if not str(error):
        raise AssertionError("a refusal without a sentence") from error
    return "refused"


def _webhook(forge: str) -> Target:
    given = st.tuples(st.sampled_from(HEADERS[forge]), bodies(_RIGHT[forge]))
    return Target(given, lambda one: webhook_feed(forge, *one))


def webhook_feed(forge: str, headers: Mapping[str, str], body: bytes) -> str:
    """A delivery whose signature was right."""
    try:
        payload = FORGES[forge].parse({"Content-Type": "application/json", **headers}, body)
    except PayloadError as error:
        return refused(error)
    return type(payload.action).__name__


def toml_feed(data: bytes) -> str:
    """A `perfsite.toml` as read from a commit."""
    try:
        config_parse(data)
    except ConfigError as error:
        return refused(error)
    return "read"


def report_feed(data: bytes) -> str:
    """A report's body."""
    try:
        Report.model_validate_json(data)
    except ValidationError:
        return "refused"
    return "read"


PURE: dict[str, Target] = {
    **{f"webhook {name}": _webhook(name) for name in FORGES},
    "perfsite.toml": Target(st.one_of(torn(right.TOML), torn(right.TOML).flatmap(torn)), toml_feed),
    "report": Target(bodies(right.REPORT), report_feed),
}
