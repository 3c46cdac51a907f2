"""A delivered file in a clean folder: fetched through fsspec, within the worker's policy, and verified.

The address is judged where the socket is made, so neither a name that answers differently a moment later (DNS
rebinding) nor a redirect gets around it; scheme and host of each redirect are judged before it is followed.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import structlog

from workers.fetch_policy import HTTP_SCHEMES, FetchPolicy, FetchRefused
from workers.messages import FILE_NAMES, FileSource

log = structlog.get_logger(__name__)

_CHUNK = 2**20
_CONNECT_S = 10.0
_READ_S = 60.0
_PASSING = (408, 425, 429)  # another try may end otherwise
_ROOM_BYTES = 64 * 2**20


class FetchError(Exception):
    """The file could not be had; `retry` is true when another try may end otherwise."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


def file_fetch(
    file: FileSource, *, sha256: str, target: Path, policy: FetchPolicy, stop: Callable[[], bool]
) -> Path:
    """Fetch a delivered file into the new folder `target`, under its name in `FILE_NAMES`; return the folder.

    Nothing of it is read by anybody before its digest and size are those that were delivered.

    Raises:
        FetchError: it could not be had, is another file, or this worker does not fetch it.
    """
    target.mkdir(parents=True)
    path = target / FILE_NAMES[file.format]
    half = target / ".fetching"
    shown = file.url.partition("?")[0][:200]
    try:
        policy.url_check(file.url)
        found = _copy(file, half, policy, stop)
    except FetchRefused as error:
        raise FetchError(str(error), retry=False) from error
    except FileNotFoundError as error:
        raise FetchError(f"could not fetch {shown}: there is no such file", retry=False) from error
    except Exception as error:  # each file system's library has errors of its own
        if (refused := _refusal_in(error)) is not None:
            raise FetchError(f"could not fetch {shown}: {refused}", retry=False) from error
        status = getattr(error, "status", None)
        final = isinstance(status, int) and 400 <= status < 500 and status not in _PASSING
        raise FetchError(f"could not fetch {shown}: {_words(error)}", retry=not final) from error
    if found != sha256:
        raise FetchError(
            f"{shown} has the SHA-256 {found}, delivered was {sha256}: it was replaced since, or cut off; "
            "deliver the new file with its own digest",
            retry=False,
        )
    half.rename(path)
    return target


def _copy(file: FileSource, half: Path, policy: FetchPolicy, stop: Callable[[], bool]) -> str:
    """Copy the file's bytes to `half`; its digest."""
    most = min(policy.max_bytes, file.max_bytes)
    room = shutil.disk_usage(half.parent).free - _ROOM_BYTES
    digest, size = hashlib.sha256(), 0
    with _open(file.url, policy) as source, half.open("wb") as kept:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most or (file.size is not None and size > file.size):
                shown = file.url.partition("?")[0][:200]
                raise FetchRefused(
                    f"{shown} has more than {min(most, file.size or most)} bytes; no more were fetched"
                )
            if size > room:
                raise OSError(f"no room on the disk beside {half.parent} for more than {room} bytes")
            if stop():
                raise OSError("the job was stopped")
            digest.update(chunk)
            kept.write(chunk)
    if file.size is not None and size != file.size:
        raise OSError(f"{size} bytes came, delivered were {file.size}")
    return digest.hexdigest()


def _open(url: str, policy: FetchPolicy) -> AbstractContextManager[Any]:
    """The file as a stream of bytes."""
    if urlsplit(url).scheme == "file":
        return policy.file_path(url).open("rb")  # the very path that was judged
    import fsspec  # noqa: PLC0415 - a worker that gets no delivered file needs neither this nor aiohttp

    scheme = url.partition(":")[0]
    try:
        if scheme in HTTP_SCHEMES:
            return _http(policy).open(url, block_size=0, size=1)  # size: no question before the answer
        system = fsspec.filesystem(scheme)
    except ImportError as error:
        raise FetchRefused(
            f"{scheme}: URLs need a library that is not installed here ({error}); "
            f"install the extra that brings it, for s3 `pip install 'perfsite[s3]'`"
        ) from error
    except ValueError as error:
        raise FetchRefused(f"{scheme}: URLs cannot be fetched: {error}") from error
    return system.open(url, "rb")


def _http(policy: FetchPolicy) -> Any:
    """A file system whose every connection and redirect is judged."""
    import aiohttp  # noqa: PLC0415 - as above
    from fsspec.implementations.http import HTTPFileSystem  # noqa: PLC0415

    def socket_make(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        try:
            policy.address_check(str(address[0]))
        except FetchRefused as error:
            raise _RefusedAddressError(str(error)) from error
        return socket.socket(family, kind, protocol)

    async def redirect_check(_session: Any, _context: Any, told: Any) -> None:
        headers = told.response.headers
        policy.url_check(urljoin(str(told.response.url), headers.get("Location") or headers.get("URI") or ""))

    async def client_make(loop: Any, **options: Any) -> Any:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(redirect_check)
        return aiohttp.ClientSession(
            loop=loop,
            connector=aiohttp.TCPConnector(socket_factory=socket_make, limit=1),
            trace_configs=[tracing],
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S),
            auto_decompress=False,  # the digest is of the file, not of what a server makes of it
            trust_env=False,  # a proxy would connect for us, unjudged
            headers={"Accept-Encoding": "identity"},
            **options,
        )

    return HTTPFileSystem(get_client=client_make, skip_instance_cache=True, use_listings_cache=False)


class _RefusedAddressError(OSError):
    """The policy's refusal, as the connector expects one of a socket."""


def _refusal_in(error: BaseException | None) -> str | None:
    """The policy's own words, when the library wrapped them."""
    while error is not None:
        if isinstance(error, (_RefusedAddressError, FetchRefused)):
            return str(error)
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return None


def _words(error: BaseException) -> str:
    # a response's own text holds its URL, whose query may be a signature
    status, said = getattr(error, "status", None), getattr(error, "message", "")
    text = f"{status} {said}" if isinstance(status, int) else str(error).partition("?")[0]
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__
