"""E-mail, as text and HTML.  The Message-ID is the key: a second mail of one key is the same mail."""

from __future__ import annotations

from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.core.mail import EmailMultiAlternatives

from perfsite.alerts.channels.base import Channel, DeliveryError
from perfsite.alerts.message import Message

# RFC 5321, section 4.2.1: 4xx may be tried again, 5xx may not
_PERMANENT_FROM = 500


def notify(message: Message, recipient: str, key: str) -> None:
    """Send one mail.

    Raises:
        DeliveryError: the mail server refused it (permanent on its 5xx) or did not answer.
    """
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        to=[recipient],
        headers={"Message-ID": f"<{key}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(message.html, "text/html")
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        code = max(code for code, _ in error.recipients.values())
        raise _refused(recipient, error, code) from error
    except SMTPResponseException as error:
        raise _refused(recipient, error, error.smtp_code) from error
    except (SMTPException, OSError) as error:
        raise DeliveryError(
            f"the mail server did not take the mail to {recipient} ({error}); check EMAIL_HOST and EMAIL_PORT"
        ) from error


def _refused(recipient: str, error: SMTPException, code: int) -> DeliveryError:
    return DeliveryError(
        f"the mail server refused the mail to {recipient}: {error}", permanent=code >= _PERMANENT_FROM
    )


CHANNEL = Channel(name="email", notify=notify, repeatable=True)
# the same mail as a row of its own: that an incident was withdrawn is told besides
WITHDRAWAL = Channel(name="email-withdrawal", notify=notify, repeatable=True)
