"""Who may come in by single sign-on; imported by django-allauth, only where it is on."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Nobody makes an account with a password by a form."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: `manage.py createsuperuser`, or single sign-on."""
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """A person's first login makes their account, without a role in any project."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """For everybody whom the provider knows, or those with a confirmed address of the domains given."""
        domains = {name.lower() for name in settings.SIGN_IN_DOMAINS}
        if not domains:
            return True
        confirmed = [row.email for row in sociallogin.email_addresses if row.verified]
        return any(address.rpartition("@")[2].lower() in domains for address in confirmed)
