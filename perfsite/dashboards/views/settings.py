"""A project's own fields, kept by its maintainers."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from perfsite.dashboards.forms.projects import ProjectForm, project_initial
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.views.reading import page
from perfsite.runs.projects import project_change


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def project_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """The fields as they are; stored when every one of them makes sense."""
    project = project_get(request=request, slug=slug)
    form = ProjectForm(request.POST or None, initial=project_initial(project))
    if request.method == "POST" and form.is_valid():
        project_change(project=project, values=form.cleaned_data)
        messages.info(request, "Stored.")
        return redirect("project-settings", slug)
    status = 422 if form.errors else 200
    context = {"project": project, "tab": "settings", "form": form}
    return render(request, "dashboards/project_settings.html", context, status=status)
