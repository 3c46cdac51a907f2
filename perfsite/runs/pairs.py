"""The pairs of a comparison, kept as they come: a killed worker loses none, and none is asked twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.runs.lease import attempt_get
from perfsite.runs.models import Job, Pair
from workers.messages import Pair as Body

_DIGESTS = ("onnx_sha256", "engine_sha256")
_DISTURBED = "disturbed"


class PairMismatchError(PerfsiteError):
    """The pair is not about the job it was sent for."""


@transaction.atomic
def pair_store(*, token: UUID, body: Body) -> bool:
    """Keep a pair that an attempt has run; False when the job has one of this number already.

    Raises:
        SupersededError: as `attempt_get`; nothing is written.
        PairMismatchError: the job is no comparison, or has no such case; nothing is written.
    """
    attempt = attempt_get(token=token)
    job = attempt.job
    cases = len(job.spec["cases"])
    told = {row[0] for row in body.values} | {row[0] for row in body.disturbed}
    if job.kind != Job.Kind.COMPARE or any(not 0 <= index < cases for index in told):
        raise PairMismatchError(
            f"pair {body.number} tells of other cases than the {cases} of {job}; "
            "a worker must measure the order it got"
        )
    _, created = Pair.objects.get_or_create(
        job=job,
        number=body.number,
        defaults={"device_uuid": attempt.worker.device_uuid, "values": _rows(body)},
    )
    return created


def pairs_of(*, job: Job) -> tuple[Body, ...]:
    """The pairs of a comparison so far, in the order in which they were run."""
    return tuple(_body(row) for row in Pair.objects.filter(job=job).order_by("number"))


def pairs_disturbed(pairs: Iterable[Body], *, index: int) -> dict[int, str]:
    """The pairs, by number, that do not count for the case of this index, each with the reason."""
    return {row.number: why for row in pairs for place, why in row.disturbed if place == index}


def digests_compare(pairs: Iterable[Body]) -> dict[str, bool | None]:
    """Whether both builds had the same ONNX file, and engine, in all pairs; None where one had none."""
    rows = list(pairs)
    return {
        "onnx_equal": _all_equal(row.onnx_sha256 for row in rows),
        "engine_equal": _all_equal(row.engine_sha256 for row in rows),
    }


def _all_equal(digests: Iterable[tuple[str | None, str | None]]) -> bool | None:
    known = [(good, suspect) for good, suspect in digests if good and suspect]
    return all(good == suspect for good, suspect in known) if known else None


def _rows(body: Body) -> list[list[Any]]:
    """The rows of a pair; those without a case hold the builds' digests, and which cases were disturbed."""
    digests = [[None, name, *getattr(body, name)] for name in _DIGESTS]
    disturbed = [[None, _DISTURBED, index, why] for index, why in body.disturbed]
    return [*(list(row) for row in body.values), *digests, *disturbed]


def _body(row: Pair) -> Body:
    facts = [(name, both) for index, name, *both in row.values if index is None]
    digests = {name: both for name, both in facts if name in _DIGESTS}
    disturbed = [both for name, both in facts if name == _DISTURBED]
    values = [values for values in row.values if values[0] is not None]
    return Body.model_validate({"number": row.number, "values": values, "disturbed": disturbed, **digests})
