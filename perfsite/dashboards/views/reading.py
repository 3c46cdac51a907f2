"""What every page has in common: who reads it, and what happens when there is nothing to read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from perfsite.core.errors import NotFoundError

_DIGITS_MOST = 10  # a larger number fits no column

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def page(view: View) -> View:
    """A view whose `NotFoundError` becomes a page with its sentence.

    A reader who is not logged in is sent to do so instead: a private project and one that does
    not exist must look alike to strangers.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except NotFoundError as error:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            return render(request, "404.html", {"sentence": str(error)}, status=404)

    return answer  # type: ignore[return-value]  # wraps keeps the view's signature


def page_of(request: HttpRequest, rows: Any, *, size: int = 50, name: str = "page") -> Page:
    """The page of `rows` that `?page=` asks for; a number out of range gives the nearest page.

    Of several lists on one page each has a parameter of its own, `name`.
    """
    return Paginator(rows, size).get_page(request.GET.get(name))


def number_of(request: HttpRequest, name: str) -> int | None:
    """A whole number from the address; what is none counts as not given."""
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < _DIGITS_MOST else None
