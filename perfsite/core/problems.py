"""The one shape of every error of the API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from django.http import HttpResponse
from ninja import Schema
from pydantic import Field


class FieldProblem(Schema):
    """One field of a request that is wrong; `where` is its path, for example `body.measurements.0.value`."""

    where: str
    message: str


class ProblemBody(Schema):
    """What went wrong: `code` for programs, never renamed; `message` and `hint` for people."""

    code: str = Field(examples=["not_found"])
    message: str = Field(examples=["no build with pk 12, or not for this reader"])
    hint: str = Field("", examples=["List what there is, or use a token of its project."])
    fields: list[FieldProblem] = []


class Problem(Schema):
    """An error."""

    error: ProblemBody


# status -> code, how to mend it; a status that is not here gets its own name and no hint
KINDS: dict[int, tuple[str, str]] = {
    400: ("malformed", "Send a well-formed request, as /api/v1/docs describes it."),
    401: ("unauthenticated", "Send `Authorization: Bearer TOKEN`; `manage.py token add` makes one."),
    403: ("forbidden", "Use a token of the right purpose and project, or ask who owns the project."),
    404: ("not_found", "List what there is, or use a token of its project: to others it is not there."),
    405: ("method_not_allowed", "The header Allow names the methods; /api/v1/docs lists every operation."),
    409: ("conflict", ""),
    410: ("superseded", "Nothing is wanted from this attempt any more: claim the next job."),
    413: ("too_large", "Send less at once."),
    422: ("invalid", "Mend what `fields` or the message names."),
    429: ("too_many_requests", "Wait for the seconds that the header Retry-After tells."),
    500: ("internal", "This is the site's fault and is in its log; the same request may work later."),
    503: ("unavailable", "Send the same request again later."),
}  # fmt: skip


def problem_body(status: int, message: str, *, fields: Sequence[FieldProblem] = ()) -> dict[str, object]:
    """The body of an error answer."""
    code, hint = KINDS.get(status, (HTTPStatus(status).phrase.lower().replace(" ", "_"), ""))
    return {
        "error": {
            "code": code,
            "message": message,
            "hint": hint,
            "fields": [field.model_dump() for field in fields],
        }
    }


def problem_response(status: int, message: str, *, fields: Sequence[FieldProblem] = ()) -> HttpResponse:
    """An error answer; a 401 says which scheme would do (RFC 9110, 11.6.1)."""
    body = json.dumps(problem_body(status, message, fields=fields))
    response = HttpResponse(body, status=status, content_type="application/json; charset=utf-8")
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="perfsite"'
    return response
