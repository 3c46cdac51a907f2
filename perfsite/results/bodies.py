"""Reading a report whole, as it was sent: readings, canary and digests are only in its body."""

from __future__ import annotations

import gzip
import logging

from pydantic import ValidationError

from benchmarks.report import Report as Body
from perfsite.results.artifacts import REPORT_NAME
from perfsite.results.models import Artifact

log = logging.getLogger(__name__)


def body_read(*, job_id: int) -> Body | None:
    """The body of a job's report; None when it is not kept, or cannot be read any more.

    A file that is gone or damaged is told to the log: what rests on it goes without.
    """
    artifact = Artifact.objects.filter(job_id=job_id, kind="report", name=REPORT_NAME).first()
    if artifact is None:
        return None
    try:
        with artifact.file.open("rb") as stored:
            return Body.model_validate_json(gzip.decompress(stored.read()))
    except (OSError, EOFError, ValidationError) as error:
        log.warning("the report of job %s cannot be read from %s: %s", job_id, artifact.file.name, error)
        return None
