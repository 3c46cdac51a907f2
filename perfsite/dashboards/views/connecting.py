"""A new project: from a repository's address to the webhook that its forge needs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from perfsite.access.audit import audit_tell
from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.forms.projects import RepositoryForm
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.webhook import webhook_answer
from perfsite.runs.services import project_add


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page
def project_new(request: HttpRequest) -> HttpResponse:
    """The form; stored, the answer to this very request shows the webhook's secret, once."""
    form = RepositoryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = project_add(**form.cleaned_data)
        except PerfsiteError as error:
            form.add_error("slug", str(error))
        else:
            audit_tell(request, project=project.slug, repo=project.repo, branch=project.branch)
            return webhook_answer(request, project, secret=project.webhook_secret, is_new=True)
    return render(request, "dashboards/project_new.html", {"form": form}, status=422 if form.errors else 200)
