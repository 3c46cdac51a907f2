"""What cannot be taken back is asked on a page of its own, which works without a script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from perfsite.access.audit import audit_tell
from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.views.reading import page
from perfsite.runs.models import Project

_CONFLICT = 409


def asking(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that asks by GET and acts by POST, for people who are logged in."""
    return require_http_methods(["GET", "HEAD", "POST"])(login_required(page(view)))


@dataclass(frozen=True)
class Question:
    """`thing` is what goes, `loses` what is lost with it and what stays, `back` the page it is listed on."""

    project: Project
    tab: str
    thing: str
    loses: str
    back: str
    verb: str = "Remove"
    past: str = "Removed"

    @property
    def title(self) -> str:
        """The question."""
        return f"{self.verb} {self.thing}?"


def question_answer(request: HttpRequest, question: Question, act: Callable[[], object]) -> HttpResponse:
    """The question; once it is answered with yes, the act, or the sentence why it cannot be done."""
    refusal = ""
    if request.method == "POST":
        try:
            act()
        except PerfsiteError as error:
            refusal = str(error)
        else:
            audit_tell(request, thing=question.thing)
            messages.info(request, f"{question.past}: {question.thing}.")
            return redirect(question.back)
    context = {"project": question.project, "tab": question.tab, "question": question, "refusal": refusal}
    return render(request, "dashboards/remove.html", context, status=_CONFLICT if refusal else 200)
