from typing import Any

from django.apps import AppConfig

from perfsite.core.publish import wake


class RegressionsConfig(AppConfig):
    name = "perfsite.regressions"

    def ready(self) -> None:
        from perfsite.results.signals import report_stored  # noqa: PLC0415 - after the apps are loaded

        report_stored.connect(_screen_wake, dispatch_uid="regressions.screen")


def _screen_wake(**_: Any) -> None:
    wake("regressions.screen")
