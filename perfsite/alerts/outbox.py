"""The embedded home's mail backend: mails are kept in the database and named in the log."""

from __future__ import annotations

import logging

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.console import EmailBackend as ConsoleBackend

from perfsite.alerts.models import OutboxMail

log = logging.getLogger(__name__)


class EmailBackend(ConsoleBackend):
    """Keeps each mail once, by its Message-ID, for the outbox page; the console gets one line of it."""

    def write_message(self, message: EmailMessage) -> None:
        """Keep `message`; a second one of the same Message-ID is the same mail and changes nothing."""
        message_id = str(message.message()["Message-ID"]).strip("<>")
        _, is_new = OutboxMail.objects.get_or_create(
            message_id=message_id,
            defaults={
                "sender": message.from_email,
                "recipients": message.recipients(),
                "subject": message.subject[:500],
                "text": str(message.body),
                "html": _html_of(message),
            },
        )
        if is_new:
            log.info("mail to %s kept in the outbox: %s", ", ".join(message.recipients()), message.subject)


def _html_of(message: EmailMessage) -> str:
    if not isinstance(message, EmailMultiAlternatives):
        return ""
    return next((str(content) for content, kind in message.alternatives if kind == "text/html"), "")
