"""The audit log, for administrators."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from perfsite.access.models import AuditEntry
from perfsite.dashboards.views.reading import page, page_of


@require_safe
@page
def audit(request: HttpRequest) -> HttpResponse:
    """Who changed what, the newest first; `?q=` narrows to an actor or an action."""
    text = request.GET.get("q", "").strip()[:100]
    rows = AuditEntry.objects.order_by("-pk")
    if text:
        rows = rows.filter(actor__icontains=text) | rows.filter(action__icontains=text.replace(" ", "-"))
    return render(request, "dashboards/audit.html", {"page": page_of(request, rows), "text": text})
