"""The JSON API, version 1: every room's router in one place."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from perfsite.core.errors import NotFoundError
from perfsite.regressions.api_read import router as incidents
from perfsite.results.api import router as results_worker
from perfsite.results.api_read import router as series
from perfsite.runs.api import router as runs_worker
from perfsite.runs.api_backfill import router as backfill
from perfsite.runs.api_read import router as builds

api = NinjaAPI(
    title="Perfsite",
    version="1",
    description="Builds, runs, series and incidents; and what a worker needs.",
    urls_namespace="api-v1",
    docs_url=None,  # its page would load scripts from another site; the document itself is openapi.json
)
for router in (runs_worker, results_worker, builds, backfill, series, incidents):
    api.add_router("", router)


@api.exception_handler(NotFoundError)
def not_found(request: HttpRequest, error: NotFoundError) -> HttpResponse:
    """404 with the sentence."""
    return api.create_response(request, {"detail": str(error)}, status=404)
