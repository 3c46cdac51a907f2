"""Settings that are right one by one and wrong together: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

_POSITIVE = (
    "HEARTBEAT_SECONDS", "LEASE_SECONDS", "SWEEP_SECONDS", "WEBHOOK_MAX_BYTES", "REPORT_MAX_BYTES",
    "ARTIFACT_MAX_BYTES", "FETCH_MAX_BYTES",
)  # fmt: skip
_BROKERS = ("redis", "rediss", "unix")


def contradictions(values: Mapping[str, Any]) -> list[str]:
    """A sentence for each, with the variables to change; `values` are the settings by name."""
    small = [f"PERFSITE_{name}={values[name]} is not above 0" for name in _POSITIVE if values[name] <= 0]
    return [*small, *_terms(values), *_sizes(values), *_addresses(values)]


def _terms(values: Mapping[str, Any]) -> list[str]:
    heartbeat, lease, sweep = (values[f"{name}_SECONDS"] for name in ("HEARTBEAT", "LEASE", "SWEEP"))
    found = []
    if lease < 2 * heartbeat:
        found.append(
            f"PERFSITE_LEASE_SECONDS={lease} is less than two heartbeats of "
            f"PERFSITE_HEARTBEAT_SECONDS={heartbeat}: one that is late would cost a living worker its job"
        )
    if sweep > lease:
        found.append(
            f"PERFSITE_SWEEP_SECONDS={sweep} is longer than PERFSITE_LEASE_SECONDS={lease}: the dead "
            "would hold their jobs for over two terms"
        )
    return found


def _sizes(values: Mapping[str, Any]) -> list[str]:
    report, artifact = values["REPORT_MAX_BYTES"], values["ARTIFACT_MAX_BYTES"]
    if report <= artifact:
        return []
    return [
        f"PERFSITE_REPORT_MAX_BYTES={report} is over PERFSITE_ARTIFACT_MAX_BYTES={artifact}, which bounds "
        "every body of the API: no report could be that large"
    ]


def _addresses(values: Mapping[str, Any]) -> list[str]:
    url, broker = urlsplit(values["SITE_URL"]), urlsplit(values["REDIS_URL"])
    found = []
    if url.scheme not in ("http", "https") or not url.hostname:
        found.append(f"PERFSITE_URL={values['SITE_URL']!r} is no address; write https://perf.example.org")
    elif not _is_allowed(url.hostname, values["ALLOWED_HOSTS"]):
        found.append(
            f"PERFSITE_URL names the host {url.hostname!r}, which PERFSITE_HOSTS does not: every request "
            "to it would be answered 400"
        )
    if url.scheme == "https" and values["DEBUG"]:
        found.append("PERFSITE_DEBUG=1 shows settings and source to everybody; not on a site at https")
    if broker.scheme not in _BROKERS:
        found.append(f"REDIS_URL has the scheme {broker.scheme!r}, not one of {', '.join(_BROKERS)}")
    return found


def _is_allowed(host: str, allowed: Sequence[str]) -> bool:
    """As Django reads ALLOWED_HOSTS."""
    names = [name.lower().strip("[]") for name in allowed]
    return any(
        name == "*" or name == host or (name[:1] == "." and f".{host}".endswith(name)) for name in names
    )
