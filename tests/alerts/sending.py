"""One message sent by a channel to a server of this machine."""

import base64

from perfsite.alerts.channels import CHANNELS, Outgoing
from perfsite.alerts.message import message_compose
from tests.alerts.test_alerts_message import facts

MESSAGE = message_compose(facts(mute_url="http://site/mute/x/", inside=("code: +18.0 %",)))
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


def send(kind: str, url: str, **secrets: str) -> None:
    secrets = {"secret_url": url, "secret": SECRET, **secrets}
    CHANNELS[kind].notify(
        Outgoing(MESSAGE, key="k1@site", project_id=1, settings={"url": url}, secrets=secrets)
    )
