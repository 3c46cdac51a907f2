"""The API of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from perfsite.access.audit import audit_find
from perfsite.access.auth import MANAGERS
from perfsite.access.readers import site_wide
from perfsite.core.pagination import Cursor, Page, page_of

router = Router(auth=MANAGERS, tags=["audit"])


class AuditFilter(Schema):
    """Which entries are wanted: `q` is part of who did it, or of what was done."""

    q: str = Field("", max_length=100)


class AuditOut(Schema):
    """Who changed what, when and from where; values that sound of a secret are hidden."""

    id: int
    at: datetime
    actor: str = Field(examples=["ada"])
    action: str = Field(examples=["run-again"])
    target: str = Field(examples=["/runs/7/again/"])
    detail: dict[str, str]
    address: str = Field(examples=["203.0.113.9"])


@router.get("/audit", response=Page[AuditOut])
def audit(request: HttpRequest, wanted: Query[AuditFilter], cursor: Query[Cursor]) -> dict[str, Any]:
    """The audit log; for administrators, and tokens of the whole site that may manage."""
    site_wide(request)
    return page_of(audit_find(text=wanted.q), cursor)
