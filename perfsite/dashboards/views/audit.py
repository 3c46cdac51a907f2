"""The audit log, for administrators."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.access.audit import audit_find
from perfsite.access.models import AuditEntry
from perfsite.dashboards.audit_words import actions_matching
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.twins import Table, page_render


@require_safe
@page
def audit(request: HttpRequest) -> HttpResponse:
    """Who changed what, the newest first; `?q=` narrows to an actor or an action."""
    text = request.GET.get("q", "").strip()[:100]
    rows = audit_find(text=text, actions=actions_matching(text) if text else ())
    shown = page_of(request, rows)
    context = {"page": shown, "text": text}
    return page_render(request, "dashboards/audit.html", context, tables=lambda: [_table(list(shown))])


def _table(rows: list[AuditEntry]) -> Table:
    """The entries of the page shown."""
    found = [(row.at.isoformat(), row.actor, row.action, row.target, str(row.detail)) for row in rows]
    return Table("audit", ("at", "actor", "action", "target", "detail"), found)
