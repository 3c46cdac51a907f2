"""The process's streams: whoever works alone gets the first one.

Once a second stream of a process has been used, the GPU starts the kernels of every graph later, also
those on the first: by 0.17 µs each on an H100 (driver 580), 6 to 12 % of a chain of small kernels, until
the process ends.  So a runner that is loaded after another one must not bring a stream of its own,
or its times would depend on what was measured before it.
"""

from __future__ import annotations

from typing import Any

import torch

_FREE: dict[int, list[Any]] = {}  # by device, the first one last


def stream_take() -> Any:
    """A stream on the current device that nobody else holds: the first, while that one is free."""
    free = _FREE.setdefault(torch.cuda.current_device(), [])
    return free.pop() if free else torch.cuda.Stream()


def stream_return(stream: Any) -> None:
    """Give back what `stream_take` gave; nothing may be in flight on it."""
    free = _FREE[stream.device_index]
    free.append(stream)
    free.sort(key=lambda one: one.stream_id, reverse=True)
