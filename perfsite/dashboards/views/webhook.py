"""A project's webhook: where forges deliver, the secret, a test delivery, the last deliveries."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.workers import worker_is_here
from perfsite.dashboards.views.reading import page, page_of
from perfsite.runs.models import Project
from perfsite.webhooks.models import Delivery, RefusalCount
from perfsite.webhooks.setting_up import secret_renew, trial_send, webhook_url

_SHOWN = 20
_WEEK = timedelta(days=7)
_FORGES = (
    ("github", "GitHub", "Content type application/json; events: pushes and pull requests."),
    (
        "gitlab",
        "GitLab",
        "Its secret token is the secret; triggers: push and merge request events.",
    ),
    ("generic", "Anything else", "A signed JSON body, also for a new ONNX file or engine."),
)
_REFUSED = {
    "signature": "had a wrong signature: forge and site hold different secrets",
    "unsigned": "had no signature: the forge was given no secret",
    "malformed": "could not be read",
    "file": "told of a file that is not taken",
}


@require_safe
@page
def webhook(request: HttpRequest, slug: str) -> HttpResponse:
    """Where to deliver, and what came."""
    return webhook_answer(request, project_get(request=request, slug=slug))


@never_cache
@require_POST
@page
def secret_new(request: HttpRequest, slug: str) -> HttpResponse:
    """A new secret; the answer to this very request is the only page that shows it."""
    project = project_get(request=request, slug=slug)
    return webhook_answer(request, project, secret=secret_renew(project=project))


@require_POST
@page
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a test delivery to the site's own address."""
    told = trial_send(project=project_get(request=request, slug=slug))
    (messages.success if told.arrived else messages.error)(request, f"{told.sentence}.")
    return redirect("webhook-settings", slug)


def webhook_answer(
    request: HttpRequest, project: Project, *, secret: str = "", is_new: bool = False
) -> HttpResponse:
    """The page; with a secret it is the only one that shows it, of a new project with the way to a chart."""
    refused = RefusalCount.objects.filter(project=project, day__gte=timezone.now().date() - _WEEK)
    counts = refused.values_list("reason").annotate(total=Sum("count")).order_by("-total")
    came = Delivery.objects.filter(project=project).order_by("-received_at", "-pk")
    context = {
        "project": project,
        "tab": "webhook",
        "secret": secret,
        "is_new": is_new,
        "has_worker": is_new and worker_is_here(now=timezone.now()),
        "forges": [(title, webhook_url(project=project, forge=name), how) for name, title, how in _FORGES],
        "deliveries": page_of(request, came, size=_SHOWN),
        "refusals": [(total, _REFUSED.get(reason, reason)) for reason, total in counts],
    }
    return render(request, "dashboards/webhook.html", context)
