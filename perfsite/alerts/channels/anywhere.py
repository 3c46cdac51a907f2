"""Everything that the library apprise knows by its URL (Discord, Telegram, ntfy, PagerDuty, ...)."""

from __future__ import annotations

import time

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat
from apprise.utils.parse import parse_qsd

from perfsite.alerts.channels.base import ChannelKind, DeliveryError, Field, Outgoing
from perfsite.alerts.channels.calling import schemes_allowed
from perfsite.core.outbound import OutboundRefusedError, host_addresses, names_judged

# options that have apprise read a file of this machine, or connect to a host that is not the URL's own
_REFUSED = frozenset(
    [
        "template",
        "keyfile",
        "subfile",
        "pgp",
        "pgpkey",
        "pgppub",
        "pgpprv",
        "smtp",
        "xmpp",
        "endpoint",
        "redirect",
    ]
)
# they call a host that no part of their URL's form names as one, or read a file of this machine, or have the
# system resolve the name for a datagram, which `names_judged` does not see
_ELSEWHERE = frozenset(["NotifyACS", "NotifyBlueSky", "NotifyNostr", "NotifyRSyslog", "NotifyVapid"])
_ASSET = AppriseAsset(app_id="Perfsite", app_desc="Perfsite", http_redirects=False, async_mode=False)


def notify(outgoing: Outgoing) -> None:
    """Send by whatever the URL names; apprise tells only whether it worked.

    Raises:
        DeliveryError: it did not; unknown where the other side took as long as apprise waits.
    """
    plugin = plugin_judged(outgoing.secrets["secret_url"])
    message = outgoing.message
    began = time.monotonic()
    try:
        with names_judged():  # its own connections too, to whatever host
            if plugin.notify(body=message.text, title=message.subject, body_format=NotifyFormat.TEXT):
                return
    except OutboundRefusedError as error:
        raise DeliveryError(str(error), is_misdirected=True) from error
    waited = time.monotonic() - began
    raise DeliveryError(
        f"{plugin.service_name} did not take the message; the site's log has apprise's reason",
        is_unknown=waited >= plugin.socket_read_timeout,
    )


def plugin_judged(url: str) -> NotifyBase:
    """What the URL names, where the site may use it.

    A service's own address is apprise's business.  Where the URL names a host it is judged as any address
    that the site calls; what only tells the machine it runs on (a desktop, syslog) is refused.

    Raises:
        DeliveryError: apprise does not know it, or the site does not call it; for good.
    """
    options = parse_qsd(url.partition("?")[2], simple=True)["qsd"]
    if refused := sorted(_REFUSED & options.keys()):
        raise DeliveryError(
            f"the option {refused[0]!r} reads files of this machine or calls another host; leave it out",
            permanent=True,
        )
    plugin = Apprise.instantiate(url, asset=_ASSET)
    if plugin is None:
        raise DeliveryError("apprise does not know this URL; its wiki lists the forms", permanent=True)
    if type(plugin).__name__ in _ELSEWHERE:
        sentence = f"{plugin.service_name} calls hosts that the site cannot judge; use another service"
        raise DeliveryError(sentence, permanent=True)
    plugin.redirects = False  # a URL may ask for them in more ways than one
    templates: tuple[str, ...] = tuple(plugin.templates)
    if any(form.replace("_/", "").endswith("://") for form in templates):
        raise DeliveryError(f"{plugin.service_name} tells only the site's own machine", permanent=True)
    if not any("{host}" in form for form in templates):
        return plugin
    if not plugin.secure and "http" not in schemes_allowed():
        raise DeliveryError(f"{plugin.service_name}: use its encrypted form", permanent=True)
    try:
        host_addresses(plugin.host, plugin.port or 443)
    except OutboundRefusedError as error:
        raise DeliveryError(str(error), permanent=True) from error
    return plugin


KIND = ChannelKind(
    name="apprise",
    title="Anything apprise knows",
    notify=notify,
    repeatable=False,
    fields=(Field("secret_url", "apprise URL", "discord://…, tgram://…, ntfys://…", is_secret=True),),
)
