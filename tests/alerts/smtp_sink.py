"""A mail server that keeps what it is sent, or refuses every recipient with a code of the test's choice."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message


class _Session(socketserver.StreamRequestHandler):
    server: SmtpSink

    def handle(self) -> None:
        self._say("220 sink")
        while line := self.rfile.readline().decode().strip():
            command = line[:4].upper()
            if command == "QUIT":
                self._say("221 bye")
                return
            if command == "DATA":
                self._take_mail()
            elif command == "MAIL":
                self._say(self.server.sender_answer)
            elif command == "RCPT":
                self._say(self.server.recipient_answer)
            else:
                self._say("250 sink")

    def _take_mail(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.server.mails.append(message_from_bytes(b"".join(lines)))
        self._say("250 kept")

    def _say(self, words: str) -> None:
        self.wfile.write(words.encode() + b"\r\n")


class SmtpSink(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback; `mails` are those it took."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[Message] = []
        self.recipient_answer = self.sender_answer = "250 fine"


@contextmanager
def smtp_sink() -> Iterator[SmtpSink]:
    """A running sink; stopped at the end."""
    with SmtpSink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=5)
