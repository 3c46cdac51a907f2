"""From where this worker fetches delivered files: pure.

A URL comes with a delivery, so whoever may deliver could otherwise make the worker read what only the worker
can reach (OWASP, Server-Side Request Forgery): the cloud's metadata service, a neighbour's database, the
disk.
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
HTTP_SCHEMES = ("http", "https")


class FetchRefused(Exception):  # noqa: N818 - a refusal of the policy, not a fault
    """This worker does not fetch it; the message says why and which setting allows it."""


@dataclass(frozen=True)
class FetchPolicy:
    """What may be fetched.  `hosts` are patterns, none of them allows all; `networks` are private ones that
    are allowed, `folders` those that `file:` URLs may be in; `max_bytes` is per file."""

    schemes: tuple[str, ...] = ("https",)
    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    folders: tuple[Path, ...] = ()
    max_bytes: int = 4 * 2**30

    def url_check(self, url: str) -> None:
        """Judge a URL by scheme and host, of a delivery or of a redirect.

        Raises:
            FetchRefused: it is not fetched.
        """
        parts = urlsplit(url)
        if parts.scheme not in self.schemes:
            raise FetchRefused(
                f"{_shown(url)}: the scheme {parts.scheme!r} is not fetched; allowed: "
                f"{', '.join(self.schemes)} (PERFSITE_FETCH_SCHEMES of the worker)"
            )
        if parts.scheme == "file":
            self.file_path(url)
        elif self.hosts and not any(fnmatch.fnmatch(parts.hostname or "", one) for one in self.hosts):
            raise FetchRefused(
                f"{_shown(url)}: the host is not fetched from; allowed: {', '.join(self.hosts)} "
                "(PERFSITE_FETCH_HOSTS of the worker)"
            )

    def address_check(self, address: str) -> None:
        """Judge the address that a connection is about to be made to.

        Raises:
            FetchRefused: it is no public one, and in no allowed network.
        """
        given = ipaddress.ip_address(address.partition("%")[0])
        if any(one.version == given.version and given in one for one in self.networks):
            return
        inner = _wrapped(given)
        if inner is not None:
            self.address_check(str(inner))
        elif not given.is_global or given.is_multicast or given.is_reserved or _is_site_local(given):
            raise FetchRefused(
                f"{address} is no public address; an operator may allow its network with "
                "PERFSITE_OUTBOUND_NETWORKS of the worker"
            )

    def file_path(self, url: str) -> Path:
        """The path that a `file:` URL means (RFC 8089), links followed.

        Raises:
            FetchRefused: it is in no folder that files are read from.
        """
        path = Path(unquote(urlsplit(url).path))
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise FetchRefused(
                f"{path} is in no folder that files are read from (PERFSITE_FETCH_FOLDERS of the worker)"
            )
        return real


DEFAULT_POLICY = FetchPolicy()


def policy_read(environment: Mapping[str, str]) -> FetchPolicy:
    """The policy that the environment describes.

    Raises:
        ValueError: a variable cannot be read; the message names it.
    """
    networks = []
    for text in _listed(environment, "PERFSITE_OUTBOUND_NETWORKS"):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ValueError(f"PERFSITE_OUTBOUND_NETWORKS: {error}") from None
    most = environment.get("PERFSITE_FETCH_MAX_BYTES") or str(4 * 2**30)
    if not most.isdecimal() or not int(most):
        raise ValueError(f"PERFSITE_FETCH_MAX_BYTES should be a number of bytes, not {most!r}")
    return FetchPolicy(
        schemes=_listed(environment, "PERFSITE_FETCH_SCHEMES") or ("https",),
        hosts=_listed(environment, "PERFSITE_FETCH_HOSTS"),
        networks=tuple(networks),
        folders=tuple(Path(text) for text in _listed(environment, "PERFSITE_FETCH_FOLDERS")),
        max_bytes=int(most),
    )


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in environment.get(name, "").split(","))
    return tuple(part for part in parts if part)


def _wrapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one wraps (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


def _is_site_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local  # RFC 3879: deprecated


def _shown(url: str) -> str:
    """A URL for messages, without the query that may hold a signature."""
    return url.partition("?")[0][:200]
