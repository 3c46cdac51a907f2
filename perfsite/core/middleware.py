"""What every answer carries."""

from __future__ import annotations

from collections.abc import Callable

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from perfsite.core.problems import problem_response

_TARGETS = " ".join(("'self'", *settings.FORM_TARGETS))
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    f"form-action {_TARGETS}; frame-ancestors 'none'"
)


@sync_and_async_middleware
def content_security_policy(get_response: Callable) -> Callable:
    """Scripts and styles come from our own files only: what a watched repository sends never runs."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            return _with_policy(await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        return _with_policy(get_response(request))

    return answer


def _with_policy(response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


API = "/api/v1/"


@sync_and_async_middleware
def api_problems(get_response: Callable) -> Callable:
    """Every error under the API has the API's shape, also those that Django answers by itself.

    The first in the list, so that it sees what the others refuse: a wrong host, a method that is
    not allowed, an address that leads nowhere.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            return _shaped(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        return _shaped(request, get_response(request))

    return answer


def _shaped(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    is_shaped = response.headers.get("Content-Type", "").startswith("application/json")
    if response.status_code < 400 or is_shaped or not request.path_info.startswith(API):
        return response
    told = problem_response(response.status_code, _PHRASES.get(response.status_code, response.reason_phrase))
    for name in ("Allow", "Retry-After"):
        if name in response.headers:
            told[name] = response.headers[name]
    return _with_policy(told)


_PHRASES = {
    400: "the request is not one that this site answers",
    404: "nothing answers at this address",
    405: "this address does not take that method",
    500: "the site failed over this request",
}
