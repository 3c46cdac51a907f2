from typing import Any

from django.apps import AppConfig

from perfsite.core.publish import wake


class AlertsConfig(AppConfig):
    name = "perfsite.alerts"

    def ready(self) -> None:
        from perfsite.regressions.signals import incident_changed  # noqa: PLC0415 - after the apps are loaded

        incident_changed.connect(_tell_wake, dispatch_uid="alerts.tell")


def _tell_wake(**_: Any) -> None:
    wake("alerts.tell")
