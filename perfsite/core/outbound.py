"""The guard on every address the site calls because somebody gave it: channels, forges, artifacts.

Without it a person who may name a URL could make the site read what only the site can reach: the
cloud's metadata service, a database on the same network (OWASP, Server-Side Request Forgery).  The name
is resolved once, every answer is judged, and the connection goes to a judged address: a name that
answers differently a moment later (DNS rebinding) gains nothing.  A redirect is a new request and is
judged like one.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from django.conf import settings

from perfsite.core.errors import PerfsiteError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SCHEMES = ("https", "http")
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_CHUNK = 2**16


class OutboundRefusedError(PerfsiteError):
    """The site does not call this address; the message says why and how an operator may allow it."""


class OutboundTooLargeError(PerfsiteError):
    """The answer is larger than its reader allows."""


def outbound_client(
    *,
    timeout_s: float = 10.0,
    redirects: int = 0,
    schemes: Sequence[str] = SCHEMES,
    verify: ssl.SSLContext | bool = True,
    **more: Any,
) -> httpx.Client:
    """A client whose every request is judged; it follows at most `redirects` redirects, each judged anew.

    `more` goes to httpx (headers, auth).  Proxies of the environment are not used: the guard could not
    see behind them.
    """
    return httpx.Client(
        transport=OutboundTransport(schemes=schemes, verify=verify),
        timeout=timeout_s,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        trust_env=False,
        **more,
    )


def body_limited(response: httpx.Response, *, limit: int) -> Iterator[bytes]:
    """The chunks of a streamed answer, of `limit` bytes at most.

    Raises:
        OutboundTooLargeError: it announces or sends more.
    """
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise OutboundTooLargeError(f"{response.url.host} announces {announced} bytes; the limit is {limit}")
    size = 0
    for chunk in response.iter_bytes(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise OutboundTooLargeError(f"{response.url.host} sends more than {limit} bytes")
        yield chunk


def url_check(url: str, *, schemes: Sequence[str] = SCHEMES) -> httpx.URL:
    """The URL, well-formed, of an allowed scheme, with a host and without credentials; nothing is resolved.

    For forms: a channel's address is refused when it is typed, and judged again each time it is called.

    Raises:
        OutboundRefusedError: it is not.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise OutboundRefusedError(f"this is no URL: {error}") from None
    if parsed.scheme not in schemes:
        raise OutboundRefusedError(
            f"the scheme {parsed.scheme!r} is not called; allowed: {', '.join(schemes)}"
        )
    if not parsed.host:
        raise OutboundRefusedError("the URL names no host")
    if parsed.userinfo:
        raise OutboundRefusedError("the URL holds a user name or password; give them in a field of their own")
    literal = _literal(parsed.host)
    if literal is not None:
        _judge(parsed.host, literal)
    return parsed


def host_addresses(host: str, port: int) -> list[Address]:
    """The addresses `host` resolves to now, all of them judged.

    A caller that connects by itself, by name, is guarded against a wrong address but not against a name
    that changes in between; `outbound_client` is guarded against both.

    Raises:
        OutboundRefusedError: it does not resolve, or one of its addresses is not called.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundRefusedError(f"the host {host} cannot be resolved: {error}") from None
    addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in answers]
    for address in addresses:
        _judge(host, address)
    return list(dict.fromkeys(addresses))


class OutboundTransport(httpx.BaseTransport):
    """A transport that connects only to judged addresses; for libraries that take an httpx transport."""

    def __init__(self, *, schemes: Sequence[str] = SCHEMES, verify: ssl.SSLContext | bool = True) -> None:
        self._schemes = tuple(schemes)
        # connections are kept by address: another host on the same one would be answered under the wrong name
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), verify=verify)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to an address that was judged just now.

        Raises:
            OutboundRefusedError: the URL or an address of its host is not called.
            httpx.TransportError: as any client.
        """
        url = url_check(str(request.url), schemes=self._schemes)
        if _is_downgrade(request):
            raise OutboundRefusedError(f"{url.host} redirects from https to http; that is not followed")
        addresses = host_addresses(url.host, url.port or _PORTS[url.scheme])
        for address in addresses[:-1]:
            try:
                return self._send(request, url, address)
            except httpx.ConnectError:
                continue  # the host has another address
        return self._send(request, url, addresses[-1])

    def _send(self, request: httpx.Request, url: httpx.URL, address: Address) -> httpx.Response:
        """The Host header and the certificate's name stay those of the host."""
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=str(address)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host, "outbound_scheme": url.scheme},
        )
        request.extensions["outbound_scheme"] = url.scheme
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        """Close its connections."""
        self._inner.close()


def _is_downgrade(request: httpx.Request) -> bool:
    """Whether httpx came here by a redirect from https: it hands the extensions on."""
    return request.extensions.get("outbound_scheme") == "https" and request.url.scheme == "http"


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _judge(host: str, address: Address) -> None:
    inner = _inner(address)
    if any(one.version == address.version and address in one for one in settings.OUTBOUND_NETWORKS):
        return
    if inner != address:
        _judge(host, inner)
    elif not address.is_global or address.is_multicast or address.is_reserved or _is_site_local(address):
        what = "" if str(address) == host.strip("[]") else f" ({address})"
        raise OutboundRefusedError(
            f"{host}{what} is no public address, so the site does not call it; an operator may allow its "
            "network with the setting PERFSITE_OUTBOUND_NETWORKS"
        )


def _is_site_local(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local  # RFC 3879: deprecated


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one wraps (mapped, 6to4, Teredo, NAT64), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
