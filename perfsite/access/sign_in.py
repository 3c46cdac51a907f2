"""Single sign-on (OpenID Connect) and a second factor, by django-allauth: off unless the environment asks.

`PERFSITE_OIDC_URL`, `_CLIENT`, `_SECRET`, `_NAME` and `_DOMAINS` say which provider; `PERFSITE_MFA=1` lets
people add a second factor to their password.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from perfsite.core import environ

PROVIDER = "sso"
"""The provider's name in addresses: its callback is `/accounts/oidc/sso/login/callback/`."""
NEEDED = ("CLIENT", "SECRET")


def sign_in_settings() -> dict[str, Any]:
    """What the environment adds to the settings: lists are to be appended; empty when it asks for nothing.

    Raises:
        ImproperlyConfigured: half of a provider is given, or django-allauth is not installed.
    """
    url = os.environ.get("PERFSITE_OIDC_URL", "")
    mfa = environ.env_flag("PERFSITE_MFA", default=False)
    if not url and not mfa:
        return {}
    if importlib.util.find_spec("allauth") is None:
        raise ImproperlyConfigured(
            "PERFSITE_OIDC_URL and PERFSITE_MFA need django-allauth: pip install 'perfsite[login]'"
        )
    return {
        "INSTALLED_APPS": ["allauth", "allauth.account", "allauth.socialaccount", *_apps(url, mfa=mfa)],
        "MIDDLEWARE": ["allauth.account.middleware.AccountMiddleware"],
        "AUTHENTICATION_BACKENDS": ["allauth.account.auth_backends.AuthenticationBackend"],
        "ACCOUNT_ADAPTER": "perfsite.access.sign_in_adapters.AccountAdapter",
        "SOCIALACCOUNT_ADAPTER": "perfsite.access.sign_in_adapters.SocialAccountAdapter",
        "ACCOUNT_EMAIL_VERIFICATION": "none",  # the provider vouches for it
        "SOCIALACCOUNT_PROVIDERS": _providers(url),
        "SIGN_IN_DOMAINS": environ.env_list("PERFSITE_OIDC_DOMAINS", default=[]),
        "SIGN_IN_NAME": os.environ.get("PERFSITE_OIDC_NAME", "single sign-on") if url else "",
        "FORM_TARGETS": [_origin(url)] if url else [],
        "MFA_SUPPORTED_TYPES": ["totp", "recovery_codes"],
    }


def _apps(url: str, *, mfa: bool) -> list[str]:
    oidc = ["allauth.socialaccount.providers.openid_connect"] if url else []
    return [*oidc, *(["allauth.mfa"] if mfa else [])]


def _providers(url: str) -> dict[str, Any]:
    if not url:
        return {}
    missing = [f"PERFSITE_OIDC_{name}" for name in NEEDED if not os.environ.get(f"PERFSITE_OIDC_{name}")]
    if missing:
        raise ImproperlyConfigured(f"PERFSITE_OIDC_URL is set, {' and '.join(missing)} not")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ImproperlyConfigured(
            f"PERFSITE_OIDC_URL={url!r} is no address; write https://login.example.org"
        )
    app = {
        "provider_id": PROVIDER,
        "name": os.environ.get("PERFSITE_OIDC_NAME", "single sign-on"),
        "client_id": os.environ["PERFSITE_OIDC_CLIENT"],
        "secret": os.environ["PERFSITE_OIDC_SECRET"],
        "settings": {"server_url": url, "fetch_userinfo": True},
    }
    return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
