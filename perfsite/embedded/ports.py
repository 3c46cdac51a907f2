"""Ports on loopback."""

from __future__ import annotations

import socket

from perfsite.core.errors import PerfsiteError

_TRIES = 50


def port_free(wanted: int) -> int:
    """`wanted` when it is free, else the next free one; any free port for 0.

    Raises:
        PerfsiteError: none of the next ports is free.
    """
    for port in range(wanted, min(wanted + _TRIES, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise PerfsiteError(f"no free port from {wanted} to {wanted + _TRIES - 1}; name another with --port")
