"""What a person does with a point of a series: compare it again, bisect, mark it, write a note."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from perfsite.core.errors import NotFoundError, PerfsiteError
from perfsite.dashboards.formatting import plural
from perfsite.dashboards.selectors.access import series_get
from perfsite.dashboards.selectors.series import note_get
from perfsite.dashboards.services import note_add, note_remove
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.removing import Question, asking, question_answer
from perfsite.regressions.bisection.opening import bisection_ask
from perfsite.regressions.confirmation.asked import (
    between_measure,
    change_mark,
    comparison_ask,
    mark_of,
    mark_undo,
)
from perfsite.results.models import Series


def _confirm(series: Series, build_id: int, request: HttpRequest) -> str:
    comparison_ask(series=series, build_id=build_id, actor=request.user.get_username())
    return "Ordered: this build and the one before it are measured again in turns."


def _bisect(series: Series, build_id: int, request: HttpRequest) -> str:
    bisection_ask(series=series, build_id=build_id, actor=request.user.get_username())
    return "The search begins within seconds; the page of the incident shows its steps."


def _search(series: Series, build_id: int, request: HttpRequest) -> str:
    done = between_measure(series=series, build_id=build_id)
    return f"Queued behind the heads: {plural(len(done.jobs), 'job')}."


def _mark(series: Series, build_id: int, request: HttpRequest) -> str:
    verdict = change_mark(series=series, build_id=build_id, actor=request.user.get_username())
    return f"Marked as {verdict.kind}."


def _note(series: Series, build_id: int, request: HttpRequest) -> str:
    author = request.user.get_username()
    note_add(series=series, build_id=build_id, author=author, text=request.POST.get("text", ""))
    return "Noted."


_Act = Callable[[Series, int, HttpRequest], str]
# what a person says about a point, and what costs the time of a device: the roles differ
_SAYINGS: dict[str, _Act] = {"mark": _mark, "note": _note}
_ORDERS: dict[str, _Act] = {"confirm": _confirm, "bisect": _bisect, "search": _search}


def _act(request: HttpRequest, pk: int, build: int, action: str, known: dict[str, _Act]) -> HttpResponse:
    series = series_get(request=request, pk=pk)
    if action not in known:
        raise NotFoundError(f"Nothing is called {action!r} here: {', '.join(known)} are.")
    try:
        messages.info(request, known[action](series, build, request))
    except PerfsiteError as error:
        messages.error(request, f"Not done: {str(error).rstrip('.')}.")
    return redirect(_point(pk, build))


def _point(pk: int, build: int) -> str:
    """Where the page of a series shows a build's point."""
    return f"{reverse('series', args=[pk])}?build={build}#point"


@require_POST
@login_required
@page
def series_act(request: HttpRequest, pk: int, build: int, action: str) -> HttpResponse:
    """Mark a point or put a note on it, and say what came of it."""
    return _act(request, pk, build, action, _SAYINGS)


@require_POST
@login_required
@page
def series_order(request: HttpRequest, pk: int, build: int, action: str) -> HttpResponse:
    """Order a comparison or measurements about a point, and say what came of it."""
    return _act(request, pk, build, action, _ORDERS)


@asking
def note_end(request: HttpRequest, pk: int, note: int) -> HttpResponse:
    """Remove a note."""
    series = series_get(request=request, pk=pk)
    found = note_get(series=series, pk=note)
    question = Question(
        series.project,
        "trends",
        f"the note of {found.author} on {found.build.short}",
        f"It says: {found.text}",
        _point(pk, found.build_id),
    )
    return question_answer(request, question, lambda: note_remove(note=found))


@asking
def mark_end(request: HttpRequest, pk: int, build: int) -> HttpResponse:
    """Take a mark back that somebody made by hand."""
    series = series_get(request=request, pk=pk)
    found = mark_of(series=series, build_id=build)
    if found is None:
        raise NotFoundError("No mark made by hand stands on this point. The page of its series shows it.")
    actor = request.user.get_username()
    question = Question(
        series.project,
        "trends",
        f"the mark of {found.build.short}",
        "The verdict same follows it, and its incident is withdrawn if nothing else is in it.",
        _point(pk, build),
        verb="Take back",
        past="Taken back",
    )
    return question_answer(request, question, lambda: mark_undo(series=series, build_id=build, actor=actor))
