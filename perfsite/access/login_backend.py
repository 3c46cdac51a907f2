"""No password is looked at for an address from which too many were wrong, whatever the names."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from perfsite.access.limits import login_wait


class AddressBackend:
    """Stands before the backends that know people; it knows nobody itself."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """None: let the next backend look.

        Raises:
            PermissionDenied: the address is shut out; the answer is the one for a name that is.
        """
        if request is not None and login_wait(request):
            request.axes_locked_out = True  # type: ignore[attr-defined]
            raise PermissionDenied("too many logins failed from this address")
