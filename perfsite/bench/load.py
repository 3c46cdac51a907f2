"""Requests over lasting connections, from threads: closed loop for the rate, open loop for the wait."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from perfsite.core.errors import PerfsiteError

CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
    """One POST."""

    path: str
    body: bytes
    headers: dict[str, str]


def rate_closed(url: str, requests: Iterator[Request], *, seconds: float) -> tuple[float, int]:
    """Requests a second that `CONNECTIONS` clients get answered with 202, each sending when it was answered,
    and how many that were.

    Raises:
        PerfsiteError: another answer came.
    """
    lock = threading.Lock()
    started = time.perf_counter()

    def client(_number: int) -> int:
        connection = _connected(url)
        done = 0
        while time.perf_counter() - started < seconds:
            with lock:
                request = next(requests)
            _sent(connection, request)
            done += 1
        return done

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        done = sum(pool.map(client, range(CONNECTIONS)))
    return done / (time.perf_counter() - started), done


def waits_open(url: str, requests: Iterator[Request], *, rate: float, seconds: float) -> list[float]:
    """Seconds until each answer, from the moment each was due: `rate` a second, whoever waits."""
    count = max(1, int(rate * seconds))
    held = threading.local()
    start = time.perf_counter() + 0.2

    def one(due: float, request: Request) -> float:
        time.sleep(max(0.0, due - time.perf_counter()))
        if not hasattr(held, "connection"):
            held.connection = _connected(url)
        _sent(held.connection, request)
        return time.perf_counter() - due

    with ThreadPoolExecutor(4 * CONNECTIONS) as pool:
        tasks = [pool.submit(one, start + number / rate, next(requests)) for number in range(count)]
        return [task.result() for task in tasks]


def _connected(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)


def _sent(connection: http.client.HTTPConnection, request: Request) -> None:
    connection.request("POST", request.path, request.body, request.headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 202:
        raise PerfsiteError(f"{request.path} answered {answer.status}: {said[:300]!r}")


def in_turns(
    sides: dict[str, Callable[[float], float]], *, seconds: float, turns: int = 3
) -> dict[str, float]:
    """The median rate of each side, measured in turns so that a busy machine harms all alike."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            found[name].append(side(seconds / turns))
    return {name: sorted(rates)[len(rates) // 2] for name, rates in found.items()}
