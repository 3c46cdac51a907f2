from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed


class AccessConfig(AppConfig):
    name = "perfsite.access"

    def ready(self) -> None:
        from perfsite.access import logins  # noqa: PLC0415 - models are there only now

        user_logged_in.connect(logins.logged_in)
        user_login_failed.connect(logins.login_failed)
