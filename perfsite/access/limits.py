"""How often a caller may ask: counted in Redis, so that several web processes share it.

A token, a person and the address of everybody else each have so many requests a minute, by a sliding
window of two counters.  Where Redis does not answer, each process counts for itself and asks again
some seconds later: a limit is never a reason to be down.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from ninja.throttling import BaseThrottle
from redis.exceptions import RedisError

from perfsite.access.auth import token_of

log = logging.getLogger(__name__)

_TIMEOUT_S = 0.2
_RETRY_S = 10.0
_LOGIN_MINUTES = 15
_Ask = Callable[[SlidingWindowCounterRateLimiter, RateLimitItemPerMinute, str], float]


class Counter:
    """Counts hits per subject, in Redis or, while that is away, in this process."""

    def __init__(self, url: str) -> None:
        shared = RedisStorage(
            url,
            key_prefix="perfsite-limit",
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = 0.0
        self._lock = threading.Lock()

    def hit(self, subject: str, most: int, *, minutes: int = 1) -> float:
        """Count a request of `subject`; 0 when it may pass, else the seconds to wait."""
        return self._asked(_hit, subject, RateLimitItemPerMinute(most, minutes))

    def full(self, subject: str, most: int, *, minutes: int = 1) -> float:
        """As `hit`, and counts nothing."""
        return self._asked(_full, subject, RateLimitItemPerMinute(most, minutes))

    def _asked(self, ask: _Ask, subject: str, limit: RateLimitItemPerMinute) -> float:
        if time.monotonic() >= self._away_until:
            try:
                return ask(self._shared, limit, subject)
            except (RedisError, OSError) as error:
                with self._lock:
                    self._away_until = time.monotonic() + _RETRY_S
                log.warning("requests are counted in this process: Redis does not answer (%s)", error)
        return ask(self._own, limit, subject)


def _hit(limiter: SlidingWindowCounterRateLimiter, limit: RateLimitItemPerMinute, subject: str) -> float:
    return 0.0 if limiter.hit(limit, subject) else _rest(limiter, limit, subject)


def _full(limiter: SlidingWindowCounterRateLimiter, limit: RateLimitItemPerMinute, subject: str) -> float:
    return 0.0 if limiter.test(limit, subject) else _rest(limiter, limit, subject)


def _rest(limiter: SlidingWindowCounterRateLimiter, limit: RateLimitItemPerMinute, subject: str) -> float:
    return max(limiter.get_window_stats(limit, subject).reset_time - time.time(), 1.0)


@cache
def counter() -> Counter:
    """The process's counter."""
    return Counter(settings.REDIS_URL)


def address_of(request: HttpRequest) -> str:
    """Who is calling: the peer, or what the nearest of `PERFSITE_PROXIES` trusted proxies saw."""
    peer = request.META.get("REMOTE_ADDR", "")
    told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.API_PROXIES
    return told[-min(proxies, len(told))] if proxies and told else peer


def stranger_wait(request: HttpRequest) -> float:
    """Count a request of nobody we know, by its address; the seconds to wait, 0 for none."""
    return counter().hit(f"address:{address_of(request)}", settings.API_PER_MINUTE_ADDRESS)


def refusal_wait(request: HttpRequest) -> float:
    """Count a refused webhook against the address that sent it; the seconds to wait, 0 for none."""
    return counter().hit(f"refused:{address_of(request)}", settings.WEBHOOK_REFUSALS_PER_MINUTE)


def login_failure_count(request: HttpRequest) -> None:
    """Count a failed login against the address it came from, whatever the name."""
    subject = f"login:{address_of(request)}"
    counter().hit(subject, settings.LOGIN_FAILURES_ADDRESS, minutes=_LOGIN_MINUTES)


def login_wait(request: HttpRequest) -> float:
    """Seconds until an address may try to log in again; 0 when it may."""
    subject = f"login:{address_of(request)}"
    return counter().full(subject, settings.LOGIN_FAILURES_ADDRESS, minutes=_LOGIN_MINUTES)


class Limit(BaseThrottle):
    """The limit of every operation; it runs after the caller is known.

    With a `name` it is one that an operation has besides: a `share` of as many requests.
    """

    def __init__(self, name: str = "", *, share: float = 1.0) -> None:
        self._told = threading.local()
        self._name, self._share = name, share

    def allow_request(self, request: HttpRequest) -> bool:
        """Count the request; whether it may pass."""
        self._told.wait = self._wait(request)
        return self._told.wait == 0.0

    def wait(self) -> float | None:
        """The seconds until the next one may pass."""
        return float(math.ceil(self._told.wait))

    def _wait(self, request: HttpRequest) -> float:
        token, table = token_of(request), settings.API_PER_MINUTE
        if token is not None:
            subject, most = f"token:{token.pk}", table.get(token.purpose, table[""])
        elif request.user.is_authenticated:
            subject, most = f"person:{request.user.pk}", table[""]
        else:
            subject, most = f"address:{address_of(request)}", settings.API_PER_MINUTE_ADDRESS
        return counter().hit(self._name + subject, max(int(most * self._share), 1))


def heavy(name: str) -> list[BaseThrottle]:
    """The limits of an operation that reads files: a twentieth of the usual one besides that."""
    return [Limit(), Limit(name, share=0.05)]
