"""The guard on every address the site calls because somebody gave it: channels, forges, artifacts.

Without it a person who may name a URL could make the site read what only the site can reach: the
cloud's metadata service, a database on the same network (OWASP, Server-Side Request Forgery).  The name
is resolved once, every answer is judged, and the connection goes to a judged address: a name that
answers differently a moment later (DNS rebinding) gains nothing.  A redirect is a new request and is
judged like one.

What answers is trusted as little: an answer is read up to a size and for a time, and never decompressed.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import httpx
from django.conf import settings

from perfsite.core.errors import PerfsiteError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SCHEMES = ("https", "http")
_PORTS = {"https": 443, "http": 80}
# libraries take no resolver of ours, so there is one for all, which does nothing unless it is asked to
_JUDGED: ContextVar[bool] = ContextVar("names_judged", default=False)
_INSTALLING = threading.Lock()
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
ANSWER_BYTES = 64 * 2**20
ANSWER_S = 300.0


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
    answer_bytes: int = ANSWER_BYTES,
    **more: Any,
) -> httpx.Client:
    """A client whose every request is judged; it follows at most `redirects` redirects, each judged anew.

    An answer has `answer_bytes` at most.  `more` goes to httpx (headers, auth).
    Proxies of the environment are not used: the guard could not see behind them.
    """
    return httpx.Client(
        transport=OutboundTransport(schemes=schemes, verify=verify, answer_bytes=answer_bytes),
        timeout=timeout_s,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        trust_env=False,
        **more,
    )


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
    that changes in between; `outbound_client` and `names_judged` guard against both.

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


def is_public_host(host: str, port: int) -> bool:
    """Whether everybody on the internet could call this host, as far as its addresses tell from here.

    What an operator allows the site to call by `PERFSITE_OUTBOUND_NETWORKS` is not public by that.
    """
    try:
        addresses = host_addresses(host, port)
    except OutboundRefusedError:
        return False
    return all(_inner(address).is_global for address in addresses)


@contextmanager
def names_judged() -> Iterator[None]:
    """Within it every name that this context's Python code resolves is judged.

    For libraries that connect by themselves: they connect to what a name was resolved to, so what was judged
    is what is called, however the name answers a moment later.

    Raises:
        OutboundRefusedError: out of the library's own call, an address is not called.
    """
    with _INSTALLING:
        if not getattr(socket.getaddrinfo, "is_judging", False):
            socket.getaddrinfo = _judging(socket.getaddrinfo)
    token = _JUDGED.set(True)
    try:
        yield
    finally:
        _JUDGED.reset(token)


def _judging(resolve: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The resolver that judges where `names_judged` asks for it, and is `resolve` everywhere else."""

    @wraps(resolve)
    def judging(host: Any, *rest: Any, **more: Any) -> list[Any]:
        answers = resolve(host, *rest, **more)
        if _JUDGED.get():
            for row in answers:
                _judge(str(host), ipaddress.ip_address(str(row[4][0]).partition("%")[0]))
        return answers

    judging.is_judging = True  # type: ignore[attr-defined]
    return judging


class OutboundTransport(httpx.BaseTransport):
    """A transport that connects only to judged addresses; for libraries that take an httpx transport."""

    def __init__(
        self,
        *,
        schemes: Sequence[str] = SCHEMES,
        verify: ssl.SSLContext | bool = True,
        answer_bytes: int = ANSWER_BYTES,
    ) -> None:
        self._schemes = tuple(schemes)
        self._answer_bytes = answer_bytes
        # connections are kept by address: another host on the same one would be answered under the wrong name
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), verify=verify)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to an address that was judged just now.

        Raises:
            OutboundRefusedError: the URL or an address of its host is not called.
            OutboundTooLargeError: while its body is read, the answer has more than `answer_bytes`.
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
        # a compressed answer of a kilobyte may be gigabytes: none is asked for, and none decompressed
        pinned.headers["Accept-Encoding"] = "identity"
        response = self._inner.handle_request(pinned)
        response.headers.pop("Content-Encoding", None)
        response.stream = _Bounded(response.stream, url.host, self._answer_bytes)
        return response

    def close(self) -> None:
        """Close its connections."""
        self._inner.close()


class _Bounded(httpx.SyncByteStream):
    """A body that ends with an error when it is too large or comes for too long (a timeout sees gaps)."""

    def __init__(self, body: Any, host: str, most: int) -> None:
        self._body, self._host, self._most = body, host, most

    def __iter__(self) -> Iterator[bytes]:
        size, since = 0, time.monotonic()
        for chunk in self._body:
            size += len(chunk)
            if size > self._most:
                raise OutboundTooLargeError(f"{self._host} answers more than {self._most} bytes")
            if time.monotonic() - since > ANSWER_S:
                raise httpx.ReadTimeout(f"{self._host} was still answering after {ANSWER_S:.0f} s")
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._body.close()


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
