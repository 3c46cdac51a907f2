"""The job kind `measure`: the cases of one build that share a model and a precision."""

from __future__ import annotations

from typing import Any

from workers.job import Finished, Job

CHECKED_OUT = 0.03
MEASURED = 0.98


def job_measure(job: Job) -> Finished:
    """Check the build out and measure all of its cases in one child.

    The export is always made anew, because its time is measured; it is kept for comparisons.

    Raises:
        JobFailed: it could not be done; the failure says why.
        JobStopped: it was asked to stop.
    """
    order = job.order
    (build,) = order.builds

    def on_event(event: dict[str, Any]) -> None:
        if "stage" in event:
            fraction = CHECKED_OUT + float(event["fraction"]) * (MEASURED - CHECKED_OUT)
            job.pulse.tell(str(event["stage"]), fraction, str(event.get("message", "")))

    job.pulse.tell("checkout", 0.0, f"{build.sha[:7]} of {order.project}")
    checkout = job.check_out(build, "checkout")
    job.pulse.tell("start", CHECKED_OUT)
    finished = job.run_block(job.block(checkout, order.cases), "block", on_event)
    job.keep_export(build, finished)
    return finished
