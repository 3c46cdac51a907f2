"""The intake: check a delivery, keep it, answer.  The order of the checks is the README's table."""

from __future__ import annotations

import math
import re

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from perfsite.access.limits import refusal_wait
from perfsite.core.tallies import tally_add
from perfsite.runs.files import FileRefusedError
from perfsite.runs.models import Project
from perfsite.webhooks.forges import FORGES, Forge
from perfsite.webhooks.payloads.events import PayloadError
from perfsite.webhooks.services import delivery_receive, refusal_count

_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,100}")
_SUSPECT = (403, 404)  # a wrong signature, a project that is not there: what somebody who guesses gets
STATUSES = (200, 202, 400, 403, 409)
"""What a delivery to a project can be answered with; what strangers get leaves no count."""
_STATUS = {"accepted": 202, "ignored": 202, "pong": 200, "replayed": 200}


@csrf_exempt  # a forge has no cookie; the signature proves where the request comes from
@require_POST
def intake(request: HttpRequest, forge: str, slug: str) -> JsonResponse:
    """`POST /webhooks/<forge>/<slug>/`: answered with `{"status", "builds", "detail"}`."""
    answer = _received(request, forge, slug)
    # a forge's addresses are shared: somebody else's wrong secret must not keep right deliveries out
    if answer.status_code in _SUSPECT and (wait := refusal_wait(request)):
        answer = _refused(429, "too many refused deliveries came from this address; mend the secret first")
        answer.headers["Retry-After"] = str(math.ceil(wait))
    return answer


def _received(request: HttpRequest, forge: str, slug: str) -> JsonResponse:
    body = _body(request)
    if body is None:
        return _refused(413, f"the body is larger than {settings.WEBHOOK_MAX_BYTES} bytes")
    row = FORGES.get(forge)
    project = Project.objects.filter(slug=slug).first() if row else None
    if row is None or project is None:
        return _refused(404, "not found")
    answer = _checked(request, row, project, forge, body)
    tally_add("webhook_answers", forge=forge, status=str(answer.status_code))
    return answer


def _checked(request: HttpRequest, row: Forge, project: Project, forge: str, body: bytes) -> JsonResponse:
    header = request.headers.get(row.signature_header, "")
    if not row.verify(secret=project.webhook_secret, body=body, header=header):
        refusal_count(project=project, reason="signature" if header else "unsigned")
        return _refused(403, f"the header {row.signature_header} is missing or does not prove this body")
    delivery_id = next(filter(None, (request.headers.get(name) for name in row.delivery_headers)), "")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        refusal_count(project=project, reason="malformed")
        return _refused(
            400,
            f"the header {row.delivery_headers[0]} is missing or no plain id of 1 to 100 characters",
        )
    try:
        payload = row.parse(request.headers, body)
    except PayloadError as error:
        refusal_count(project=project, reason="malformed")
        return _refused(400, str(error))
    try:
        receipt = delivery_receive(project=project, forge=forge, delivery_id=delivery_id, payload=payload)
    except FileRefusedError as error:  # nothing was kept: mended, it may be sent again with the same id
        refusal_count(project=project, reason="file")
        return _refused(409, str(error))
    return _answer(_STATUS[receipt.status], receipt.status, receipt.builds, receipt.detail)


def _body(request: HttpRequest) -> bytes | None:
    """The raw body; None when it is over the limit, whatever its Content-Length says."""
    limit = settings.WEBHOOK_MAX_BYTES
    announced = str(request.META.get("CONTENT_LENGTH", ""))
    if announced.isdecimal() and int(announced[:20]) > limit:
        return None
    body = request.read(limit + 1)
    return body if len(body) <= limit else None


def _refused(status: int, detail: str) -> JsonResponse:
    return _answer(status, "refused", 0, detail)


def _answer(code: int, status: str, builds: int, detail: str) -> JsonResponse:
    return JsonResponse({"status": status, "builds": builds, "detail": detail}, status=code)
