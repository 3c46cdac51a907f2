from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "perfsite.embedded"
