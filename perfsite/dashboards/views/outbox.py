"""The mails the embedded home kept instead of sending."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from perfsite.alerts.models import OutboxMail
from perfsite.core.errors import NotFoundError
from perfsite.dashboards.views.reading import page, page_of


@require_safe
@login_required
def outbox(request: HttpRequest) -> HttpResponse:
    """Every mail, the newest first."""
    shown = page_of(request, OutboxMail.objects.order_by("-kept_at", "-id"))
    return render(request, "dashboards/outbox.html", {"page": shown})


@require_safe
@login_required
@page
def mail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail, as its reader would see it."""
    found = OutboxMail.objects.filter(pk=pk).first()
    if found is None:
        raise NotFoundError(f"There is no mail {pk} in the outbox. The outbox lists those that are.")
    return render(request, "dashboards/mail.html", {"mail": found})
