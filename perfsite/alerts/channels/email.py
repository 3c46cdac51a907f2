"""E-mail, as text and HTML with the chart.  The Message-ID is the key: a second one is the same mail."""

from __future__ import annotations

from email.mime.image import MIMEImage
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPServerDisconnected,
)

from django.core.mail import EmailMultiAlternatives

from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Outgoing
from perfsite.alerts.message.forms import CHART_ID, html_of

# RFC 5321, section 4.2.1: 4xx may be tried again, 5xx may not
_PERMANENT_FROM = 500


def notify(outgoing: Outgoing) -> None:
    """Send one mail.

    Raises:
        DeliveryError: the mail server refused the recipient or the mail (permanent on its 5xx), or it refuses
            us or did not answer: a login or sender that is wrong for now is no recipient's fault.
    """
    message, recipient = outgoing.message, outgoing.recipient
    mail = EmailMultiAlternatives(
        subject=" ".join(message.subject.split()),
        body=message.text,
        to=[recipient],
        headers={"Message-ID": f"<{outgoing.key}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(html_of(message, chart=bool(message.image)), "text/html")
    if message.image:
        # RFC 2387: the HTML shows the picture that follows it
        mail.mixed_subtype = "related"  # type: ignore[attr-defined]  # missing in the stubs
        picture = MIMEImage(message.image, "png")
        picture.add_header("Content-ID", f"<{CHART_ID}>")
        picture.add_header("Content-Disposition", "inline", filename="chart.png")
        mail.attach(picture)
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        code = max(code for code, _ in error.recipients.values())
        raise _refused(recipient, error, code) from error
    except SMTPDataError as error:
        raise _refused(recipient, error, error.smtp_code) from error
    except (SMTPException, OSError) as error:
        # of smtplib's own errors the others are answers
        is_silent = isinstance(error, SMTPServerDisconnected) or not isinstance(error, SMTPException)
        raise DeliveryError(
            f"the mail server did not take the mail to {recipient} ({error}); check EMAIL_HOST, EMAIL_PORT "
            "and the login",
            is_silent=is_silent,
        ) from error


def _refused(recipient: str, error: SMTPException, code: int) -> DeliveryError:
    return DeliveryError(
        f"the mail server refused the mail to {recipient}: {error}", permanent=code >= _PERMANENT_FROM
    )


KIND = ChannelKind(name="email", title="E-mail", notify=notify, repeatable=True, takes_recipient=True)
