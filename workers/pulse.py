"""The pulse of a running job: heartbeats with progress to the site, and the site's word to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import structlog

from workers.client import SiteClient, SiteError, Superseded
from workers.logs import in_context
from workers.messages import Progress

log = structlog.get_logger(__name__)

StopReason = Literal["superseded", "cancelled", "shutdown", "yielded"]

SHORTEST_GAP_S = 0.5
_LOG_TAIL = 8_000


class Pulse:
    """Sends a heartbeat every `heartbeat_s`, and at once when the stage changes, from its own thread.

    A site that is away does not stop the job: its report is spooled.  `reason` is why the job is to
    stop, None while it is not; the first reason stays.  `others_wait` says that a job which goes before
    this one waits for the device.
    """

    def __init__(
        self,
        client: SiteClient,
        token: str,
        *,
        heartbeat_s: float,
        telemetry: Callable[[], dict[str, float | None]] = dict,
        log_tail: Callable[[int], str] = lambda _characters: "",
    ) -> None:
        self._client = client
        self._token = token
        self._heartbeat_s = heartbeat_s
        self._telemetry = telemetry
        self._log_tail = log_tail
        self._started = time.monotonic()
        self._changed = threading.Condition()
        self._news = True
        self._over = False
        self._stage, self._fraction, self._message = "claimed", 0.0, ""
        self.reason: StopReason | None = None
        self.others_wait = False
        self._thread = threading.Thread(target=in_context(self._beat), name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(timeout=1.0)  # a beat on its way may wait for an answer that no longer matters

    def tell(self, stage: str, fraction: float, message: str = "") -> None:
        """Note where the job is: `fraction` of the whole job, never going back."""
        with self._changed:
            changed = stage != self._stage
            self._stage = stage[:60]
            self._fraction = max(self._fraction, min(1.0, fraction))
            self._message = message[:500]
            if changed:
                self._news = True
                self._changed.notify()

    def stop(self, reason: StopReason) -> None:
        """Ask the job to stop; a reason given earlier stays."""
        with self._changed:
            self.reason = self.reason or reason

    def stopped(self) -> bool:
        """Whether the job is to stop."""
        return self.reason is not None

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._news, timeout=self._heartbeat_s)
                if self._over:
                    return
                self._news = False
            self._send()
            with self._changed:
                self._changed.wait_for(lambda: self._over, timeout=SHORTEST_GAP_S)

    def _send(self) -> None:
        try:
            answer = self._client.progress(self._token, self._progress())
        except Superseded as error:
            log.warning("the attempt was superseded, its job stops", answer=str(error))
            self.stop("superseded")
        except SiteError as error:
            log.info("a heartbeat did not arrive", reason=str(error))
        else:
            self.others_wait = answer.others_wait
            if answer.cancel:
                self.stop("cancelled")

    def _progress(self) -> Progress:
        elapsed = time.monotonic() - self._started
        with self._changed:
            stage, fraction, message = self._stage, self._fraction, self._message
        return Progress(
            stage=stage,
            fraction=fraction,
            message=message,
            remaining_s=round(elapsed * (1 - fraction) / fraction, 1) if fraction > 0.05 else None,
            telemetry=self._telemetry(),
            log=self._log_tail(_LOG_TAIL),
        )
