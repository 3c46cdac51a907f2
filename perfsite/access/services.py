"""Writes of tokens and login links.  A secret is shown once and stored as its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils import timezone

from perfsite.access.models import LoginLink, Token
from perfsite.core.errors import PerfsiteError

_LINK_LIFETIME = timedelta(minutes=30)
# one write a minute is enough to tell when a token was last used
_USE_GRAIN = timedelta(minutes=1)


def secret_sha256(secret: str) -> str:
    """The digest a secret is stored and looked up by."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_add(*, name: str, purpose: str) -> str:
    """Make a token and return its secret, which nobody can read again.

    Raises:
        PerfsiteError: the name is taken or the purpose unknown.
    """
    if purpose not in Token.Purpose.values:
        raise PerfsiteError(f"unknown purpose {purpose!r}; known: {', '.join(Token.Purpose.values)}")
    if Token.objects.filter(name=name).exists():
        raise PerfsiteError(f"there is a token {name!r} already; choose another name or revoke it first")
    secret = f"ps_{purpose}_{secrets.token_urlsafe(32)}"
    Token.objects.create(name=name, purpose=purpose, sha256=secret_sha256(secret))
    return secret


def token_renew(*, name: str, purpose: str) -> str:
    """A fresh secret for the token `name`, made when it is new; the old secret stops working."""
    Token.objects.filter(name=name).delete()
    return token_add(name=name, purpose=purpose)


def token_check(*, secret: str, purposes: frozenset[str]) -> Token | None:
    """The living token with this secret and one of these purposes, or None."""
    token = Token.objects.filter(
        sha256=secret_sha256(secret), purpose__in=purposes, revoked_at__isnull=True
    ).first()
    now = timezone.now()
    if token and (token.last_used_at is None or now - token.last_used_at > _USE_GRAIN):
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def login_link_add(*, username: str = "admin") -> str:
    """A one-time login secret for `username`, who is made an administrator when new."""
    user, created = get_user_model().objects.get_or_create(
        username=username, defaults={"is_staff": True, "is_superuser": True}
    )
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    secret = secrets.token_urlsafe(32)
    LoginLink.objects.create(
        user=user, sha256=secret_sha256(secret), expires_at=timezone.now() + _LINK_LIFETIME
    )
    return secret


def login_link_use(*, secret: str) -> User | None:
    """The user the secret logs in, once; None when it is unknown, used or too old."""
    now = timezone.now()
    link = LoginLink.objects.select_related("user").filter(sha256=secret_sha256(secret)).first()
    if link is None:
        return None
    used = LoginLink.objects.filter(pk=link.pk, used_at__isnull=True, expires_at__gt=now).update(used_at=now)
    return link.user if used else None
