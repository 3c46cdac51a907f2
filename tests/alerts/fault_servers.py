"""The other sides of a fault run: a mail server, a webhook, a chat and a forge that fail at random.

Each failure is one of those that happen: refused for now, too many requests, no answer although the message
was taken, no answer and not taken, an answer later than anybody waits.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.alerts.http_sink import Answer, Call, HttpSink
from tests.alerts.smtp_sink import SmtpSink


@dataclass
class Taken:
    """What the other sides took: by channel, how often each incident and each key arrived."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    incidents: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    keys: dict[str, dict[int, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    calls: Counter[str] = field(default_factory=Counter)

    def note(self, channel: str, incident: int, key: str) -> None:
        """One message that was taken."""
        with self.lock:
            self.incidents[channel][incident] += 1
            self.keys[channel][incident].add(key)


class FaultySink(HttpSink):
    """An HTTP server that takes webhooks, chat messages and commit statuses, or fails."""

    def __init__(self, *, seed: int, share: float, hang_s: float) -> None:
        super().__init__()
        self.taken = Taken()
        self._random = random.Random(seed)
        self._share, self._hang_s = share, hang_s
        self._statuses: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.answer = self._answer

    def _answer(self, call: Call) -> Answer | None:
        self.calls.clear()  # a thousand bodies need not be kept
        channel = call.path.split("/")[1]
        with self.taken.lock:
            self.taken.calls[channel] += 1
            fate = self._random.random() / self._share if self._share else 1.0
        if fate < 0.3:
            return 503, {}, b"not now"
        if fate < 0.5:
            return 429, {"Retry-After": "1"}, b"slowly"
        if fate < 0.7:
            return None
        answer = self._take(channel, call)
        if fate < 0.85:
            return None  # taken, and the answer is lost
        if fate < 1.0:
            time.sleep(self._hang_s)
        return answer

    def _take(self, channel: str, call: Call) -> Answer:
        if channel == "repos":
            return self._forge(call)
        body = call.json
        if channel == "hook":
            self.taken.note(channel, body["data"]["incident"], call.headers["webhook-id"])
        else:
            url = body["blocks"][-1]["text"]["text"].split("/incidents/")[1]
            self.taken.note(channel, int(url.split("/")[0]), "")
        return 200, {}, b"ok"

    def _forge(self, call: Call) -> Answer:
        """Commit statuses as GitHub keeps them: the newest first."""
        sha = call.path.split("?")[0].split("/")[-1 if call.method == "POST" else -2]
        if call.method == "POST":
            row = call.json
            self.taken.note("repos", int(row["target_url"].rstrip("/").split("/")[-1]), row["target_url"])
            with self.taken.lock:
                self._statuses[sha].insert(0, row)
            return 201, {"Content-Type": "application/json"}, json.dumps(row).encode()
        return 200, {"Content-Type": "application/json"}, json.dumps(self._statuses[sha]).encode()


class FaultySmtp(SmtpSink):
    """A mail server that refuses some recipients for now; `taken` counts by incident and Message-ID."""

    def __init__(self, *, seed: int, share: float) -> None:
        self._random = random.Random(seed)
        self._share = share
        super().__init__()

    @property
    def recipient_answer(self) -> str:
        """Another at every command."""
        return "451 busy" if self._random.random() < self._share else "250 fine"

    @recipient_answer.setter
    def recipient_answer(self, _: str) -> None:
        """The sink sets one at its start; chance decides here."""

    def taken(self) -> dict[int, list[str]]:
        """The Message-IDs that came about each incident."""
        found: dict[int, list[str]] = defaultdict(list)
        for mail in list(self.mails):
            text = str(mail.as_string())
            body = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
            text = body.get_payload(decode=True).decode()
            found[int(text.split("/incidents/")[1].split("/")[0])].append(mail["Message-ID"])
        return found
