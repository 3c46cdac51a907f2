"""The legal steps of builds, jobs, attempts: pure tables, drawn in the README beside this file."""

from __future__ import annotations

from collections.abc import Iterable

BUILD_STATES: dict[str, frozenset[str]] = {
    "received": frozenset({"planned", "skipped", "failed"}),
    "planned": frozenset({"skipped"}),  # a force-push takes it off the branch
    # pushed again: back on its branch, or after its repository was away for too long
    "skipped": frozenset({"received", "planned"}),  # planned: measured after the event
    "failed": frozenset({"received"}),
}

JOB_STATES: dict[str, frozenset[str]] = {
    # straight to done or failed: a lost attempt's report arrived before anyone claimed the job again
    "queued": frozenset({"running", "cancelled", "failed", "done"}),
    "running": frozenset({"queued", "done", "failed", "cancelled"}),
    "done": frozenset(),
    "failed": frozenset({"queued"}),  # run again
    "cancelled": frozenset({"queued"}),
}
JOB_ENDED = frozenset({"done", "failed", "cancelled"})

ATTEMPT_STATES: dict[str, frozenset[str]] = {
    "running": frozenset({"reported", "failed", "lost", "given_back", "cancelled"}),
    # it was only cut off: while nobody has claimed the job again, it goes on and its report counts
    "lost": frozenset({"running", "reported", "failed", "given_back", "cancelled"}),
    "reported": frozenset(),
    "failed": frozenset(),
    "given_back": frozenset(),
    "cancelled": frozenset(),
}


def run_state(jobs: Iterable[str]) -> str:
    """The state of a run from the states of its jobs."""
    states = set(jobs)
    if "running" in states:
        return "running"
    if "queued" in states:
        return "running" if states & JOB_ENDED else "queued"
    for state in ("failed", "cancelled"):
        if state in states:
            return state
    return "done"
