"""A project's tokens: made here, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from perfsite.access.models import Token
from perfsite.access.rights import PURPOSES
from perfsite.access.services import token_add, token_revoke
from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.views.reading import page, page_of
from perfsite.runs.models import Project

# a worker measures for every project: its token is made on the site's machine
_CHOICES = [(name, f"{name}: {what}") for name, what in PURPOSES.items() if name != "worker"]
_PIPELINE = """\
export PERFSITE_SITE={site} PERFSITE_PROJECT={slug} PERFSITE_TOKEN=the-secret-from-above
perfsite push results.json --format pytest-benchmark --device ci
perfsite wait $(git rev-parse HEAD)"""


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(max_length=100)
    purpose = forms.ChoiceField(choices=_CHOICES, initial="report")
    days = forms.IntegerField(required=False, min_value=1, max_value=3650, label="Expires after, in days")


@require_safe
@page
def tokens(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's tokens, the newest first."""
    return _answer(request, project_get(request=request, slug=slug), TokenForm())


@never_cache
@require_POST
@page
def token_create(request: HttpRequest, slug: str) -> HttpResponse:
    """Make one; the answer to this very request is the only page that shows its secret."""
    project = project_get(request=request, slug=slug)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _answer(request, project, form, status=422)
    days = form.cleaned_data["days"]
    try:
        secret = token_add(
            name=form.cleaned_data["name"],
            purpose=form.cleaned_data["purpose"],
            project_id=project.pk,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            created_by=request.user.get_username(),
        )
    except PerfsiteError as error:
        form.add_error(None, str(error))
        return _answer(request, project, form, status=422)
    return _answer(request, project, TokenForm(), secret=secret)


@require_POST
@page
def token_end(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Revoke one, at once."""
    project = project_get(request=request, slug=slug)
    found = Token.objects.filter(project_id=project.pk, pk=pk).first()
    if found is None:
        raise NotFoundError(f"There is no token {pk} in {slug}. Its Tokens page lists those that are.")
    try:
        token_revoke(name=found.name, project_id=project.pk)
    except PerfsiteError:
        messages.info(request, f"{found.name} was revoked already.")
    else:
        messages.info(request, f"Revoked: {found.name} is refused from now on.")
    return redirect("tokens", slug)


def _answer(
    request: HttpRequest, project: Project, form: TokenForm, *, secret: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "project": project,
        "tab": "tokens",
        "tokens": page_of(request, Token.objects.filter(project_id=project.pk).order_by("-pk")),
        "form": form,
        "secret": secret,
        "pipeline": _PIPELINE.format(site=settings.SITE_URL, slug=project.slug),
    }
    return render(request, "dashboards/tokens.html", context, status=status)
