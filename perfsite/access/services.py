"""Writes of tokens and login links.  A secret is shown once and stored as its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from perfsite.access.models import LoginLink, Token
from perfsite.access.rights import FORMER, PURPOSES
from perfsite.core.errors import ConflictError, PerfsiteError

_LINK_LIFETIME = timedelta(minutes=30)
# one write a minute is enough to tell when a token was last used
_USE_GRAIN = timedelta(minutes=1)
_NAME_LONGEST = 100


def secret_sha256(secret: str) -> str:
    """The digest a secret is stored and looked up by."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def token_add(
    *,
    name: str,
    purpose: str,
    project_id: int | None = None,
    expires_at: datetime | None = None,
    created_by: str = "",
) -> str:
    """Make a token and return its secret, which nobody can read again.

    Without `project_id` it reaches every project, without `expires_at` it lives until it is revoked.

    Raises:
        PerfsiteError: the name is taken or none, the purpose unknown, a worker's token is for one
            project, or the time is over already.
    """
    purpose = FORMER.get(purpose, purpose)
    if purpose not in PURPOSES:
        raise PerfsiteError(f"unknown purpose {purpose!r}; known: {', '.join(PURPOSES)}")
    if not 1 <= len(name.strip()) <= _NAME_LONGEST:
        raise PerfsiteError(f"a token needs a name of 1 to {_NAME_LONGEST} characters, such as the machine's")
    if purpose == "worker" and project_id is not None:
        raise PerfsiteError("a worker measures for every project: its token cannot be for one")
    if expires_at is not None and expires_at <= timezone.now():
        raise PerfsiteError(f"the token would have expired at {expires_at:%Y-%m-%d %H:%M} already")
    secret = f"ps_{purpose}_{secrets.token_urlsafe(32)}"
    try:
        with transaction.atomic():
            Token.objects.create(
                name=name.strip(),
                purpose=purpose,
                project_id=project_id,
                expires_at=expires_at,
                created_by=created_by[:150],
                sha256=secret_sha256(secret),
            )
    except IntegrityError:  # the database says whether a name is free, also to two at once
        raise ConflictError(
            f"there is a token {name.strip()!r} already; choose another name or revoke it first"
        ) from None
    return secret


def token_renew(*, name: str, purpose: str) -> str:
    """A fresh secret for the token `name`, made when it is new; the old secret stops working."""
    Token.objects.filter(name=name).delete()
    return token_add(name=name, purpose=purpose)


def token_revoke(*, name: str, project_id: int | None = None) -> None:
    """End a token at once; `project_id` only finds it among that project's.

    Raises:
        PerfsiteError: there is no living token of this name.
    """
    living = Token.objects.filter(name=name, revoked_at=None)
    if project_id is not None:
        living = living.filter(project_id=project_id)
    if not living.update(revoked_at=timezone.now()):
        raise PerfsiteError(f"there is no living token {name!r}; `token list` tells which there are")


def token_find(*, secret: str) -> Token | None:
    """The living token with this secret, whose use is noted, or None."""
    now = timezone.now()
    living = Token.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    token = living.filter(sha256=secret_sha256(secret)).first()
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
