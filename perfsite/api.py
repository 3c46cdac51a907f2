"""The JSON API, version 1: every room's router in one place, and one answer per kind of error."""

from __future__ import annotations

import logging

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from perfsite.access.api import router as audit
from perfsite.access.limits import Limit, stranger_wait
from perfsite.addresses import operations_known
from perfsite.alerts.api import router as notifications
from perfsite.alerts.api_channels import router as channels
from perfsite.alerts.api_mutes import router as mutes
from perfsite.alerts.api_rules import router as rules
from perfsite.api_document import document_complete
from perfsite.api_who import methods_of, who_may
from perfsite.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PerfsiteError,
    SupersededError,
    UnavailableError,
)
from perfsite.core.parsing import CleanParser
from perfsite.core.problems import FieldProblem, problem_response
from perfsite.dashboards.api_compare import router as sides
from perfsite.dashboards.api_home import router as overview
from perfsite.dashboards.api_layers import router as layers
from perfsite.dashboards.api_notes import router as notes
from perfsite.dashboards.api_soaks import router as soaks
from perfsite.dashboards.api_tables import router as tables
from perfsite.pulls.api import router as pulls
from perfsite.regressions.api_evidence import router as evidence
from perfsite.regressions.api_points import router as points
from perfsite.regressions.api_read import router as incidents
from perfsite.regressions.api_rule import router as detection
from perfsite.regressions.api_triage import router as triage
from perfsite.results.api import router as results_worker
from perfsite.results.api_elsewhere import router as elsewhere
from perfsite.results.api_files import router as files
from perfsite.results.api_read import router as series
from perfsite.results.artifacts import DigestMismatchError, TooLargeError
from perfsite.runs.api import router as runs_worker
from perfsite.runs.api_orders import router as orders
from perfsite.runs.api_projects import router as members
from perfsite.runs.api_read import router as builds
from perfsite.runs.api_schedules import router as schedules
from perfsite.runs.api_tokens import router as tokens
from perfsite.webhooks.api import router as deliveries

log = logging.getLogger(__name__)

# the first row that fits: a subclass stands before its base
STATUSES: tuple[tuple[type[PerfsiteError], int], ...] = (
    (NotFoundError, 404),
    (ForbiddenError, 403),
    (ConflictError, 409),
    (SupersededError, 410),
    (TooLargeError, 413),
    (DigestMismatchError, 400),
    (UnavailableError, 503),
    (PerfsiteError, 422),
)


class Api(NinjaAPI):
    """Adds to the document what every operation has in common."""

    _document: dict | None = None

    def get_openapi_schema(self, *args: object, **options: object) -> dict:  # type: ignore[override]
        """The OpenAPI document, made once: operations do not come and go while the site runs."""
        if self._document is None:
            found = super().get_openapi_schema(*args, **options)  # type: ignore[arg-type]
            self._document = document_complete(found, who_may(self))
        return self._document


api = Api(
    title="Perfsite",
    version="1",
    description=(
        "Whatever a page shows and does, results from elsewhere, and what a worker needs. Long lists are "
        "pages, the newest first: pass a page's `next` as `before` for the one after it. Every error is a "
        "`Problem`."
    ),
    urls_namespace="api-v1",
    docs_url=None,  # ninja's page would load scripts from another site; ours is at /api/v1/docs
    throttle=[Limit()],
    parser=CleanParser(),
)
for router in (
    overview,
    builds,
    orders,
    series,
    points,
    notes,
    sides,
    tables,
    soaks,
    files,
    elsewhere,
    incidents,
    evidence,
    layers,
    triage,
    detection,
    notifications,
    rules,
    channels,
    mutes,
    pulls,
    schedules,
    tokens,
    members,
    deliveries,
    audit,
    runs_worker,
    results_worker,
):
    api.add_router("", router)
operations_known(methods_of(api))


@api.exception_handler(PerfsiteError)
def refused(request: HttpRequest, error: PerfsiteError) -> HttpResponse:
    """Our own errors, by the table."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return problem_response(status, str(error))


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """422 with every field that is wrong."""
    fields = [
        FieldProblem(where=".".join(str(part) for part in one["loc"]), message=str(one["msg"]))
        for one in error.errors
    ]
    return problem_response(
        422, "; ".join(f"{one.where}: {one.message}" for one in fields[:3]), fields=fields
    )


@api.exception_handler(AuthenticationError)
def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """401; strangers who guess are counted by their address."""
    wait = stranger_wait(request)
    if wait:
        return throttled(request, Throttled(wait=int(wait)))
    message = "a token or a login is needed here" if error.message == "Unauthorized" else error.message
    return problem_response(401, message)


@api.exception_handler(Throttled)
def throttled(request: HttpRequest, error: Throttled) -> HttpResponse:
    """429 with when to come back."""
    answer = problem_response(429, "more requests in this minute than the limit allows")
    answer["Retry-After"] = str(error.wait or 1)
    return answer


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What the framework itself refuses: a body that is no JSON, a CSRF token that is missing."""
    return problem_response(error.status_code, str(error))


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    """404."""
    return nothing_here(request)


@api.exception_handler(Exception)
def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """500: told to the log with its trace, and to the caller in the API's shape."""
    log.exception("%s %s failed", request.method, request.path, exc_info=error)
    return problem_response(500, "the site failed over this request")


def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """404 for an address of the API that does not exist."""
    return problem_response(404, "nothing answers at this address; /api/v1/openapi.json lists what does")
