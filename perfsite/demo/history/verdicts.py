"""What a generated history's changes became: verdicts, regressions, incidents with their triage."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import numpy as np

from benchmarks.metrics import METRICS
from perfsite.demo.history.catalogue import Row
from perfsite.demo.history.story import Change, Numbers, Story
from perfsite.demo.history.work import Work
from perfsite.regressions.models import Incident, IncidentEvent, Regression, Verdict
from perfsite.regressions.wording import Subject

DETECTOR = "generated history"
_STATES = ("fixed", "accepted", "fixed", "invalid")
_RECENT = timedelta(days=5)


def verdicts_load(*, work: Work, numbers: Numbers) -> tuple[int, int]:
    """Store what was decided about each change; returns how many verdicts and incidents.

    The verdicts follow from what the story planted, not from the screen: ten million points are not
    screened again here, and the detector's name says so.
    """
    verdicts = [row for change in work.story.changes for row in _change_verdicts(work, numbers, change)]
    Verdict.objects.bulk_create(verdicts, batch_size=500)
    worse: dict[int, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.kind == Verdict.Kind.REGRESSED:
            worse.setdefault(verdict.build_id, []).append(verdict)
    incidents = {build_id: _incident(work.story, build_id, rows, work) for build_id, rows in worse.items()}
    Incident.objects.bulk_create(incidents.values(), batch_size=500)
    Regression.objects.bulk_create(
        [
            Regression(
                incident=incidents[row.build_id], series_id=row.series_id, build_id=row.build_id, verdict=row
            )
            for rows in worse.values()
            for row in rows
        ],
        batch_size=500,
    )
    IncidentEvent.objects.bulk_create(
        IncidentEvent(incident=row, at=row.opened_at, code="opened", sentence="Opened: confirmed by 8 pairs.")
        for row in incidents.values()
    )
    return len(verdicts), len(incidents)


def _change_verdicts(work: Work, numbers: Numbers, change: Change) -> list[Verdict]:
    rows = [row for rows in work.jobs_rows for row in rows]
    found = []
    for at in change.touched:
        before, after = float(numbers.levels[at, change.place - 1]), float(numbers.levels[at, change.place])
        relative = after / before - 1
        if abs(relative) < METRICS[rows[at].metric].relevant:
            continue
        found.append(_verdict(work, rows[at], at, change, before=before, after=after))
    return found


def _verdict(work: Work, row: Row, at: int, change: Change, *, before: float, after: float) -> Verdict:
    relative = after / before - 1
    half = max(0.0005, row.spread * 0.7)
    worse = relative * row.sign > 0
    ordinal = int(work.story.ordinals[change.place])
    sha = hashlib.sha256(f"{work.project.slug} {work.story.seed} {ordinal}".encode()).hexdigest()[:7]
    subject = Subject(sha, row.model, row.runner, row.precision, row.shape, row.kind.device_class, row.metric)
    word = "worse" if worse else "better"
    return Verdict(
        series=work.series[at],
        build_id=work.build_id(change.place),
        base_id=work.build_id(change.place - 1),
        job_id=work.job_id(change.place, _job_of(work, at)),
        kind=Verdict.Kind.REGRESSED if worse else Verdict.Kind.IMPROVED,
        stage="confirmation",
        before=before,
        after=after,
        relative=relative,
        relative_low=relative - half,
        relative_high=relative + half,
        evidence={"pairs": 8},
        sentence=(
            f"{sha} made {subject.title} of {row.model} {100 * abs(relative):.1f} % {word} {subject.where}."
        ),
        detector=DETECTOR,
        data_sha256=hashlib.sha256(np.array([before, after]).tobytes()).hexdigest(),
        created_at=work.story.moment(ordinal) + timedelta(minutes=40),
    )


def _job_of(work: Work, at: int) -> int:
    """Which job of a build measures the series at this place."""
    for number, rows in enumerate(work.jobs_rows):
        if at < len(rows):
            return number
        at -= len(rows)
    raise IndexError(at)


def _incident(story: Story, build_id: int, rows: list[Verdict], work: Work) -> Incident:
    opened = rows[0].created_at
    is_new = story.until - opened < _RECENT
    state = "untriaged" if is_new else _STATES[build_id % len(_STATES)]
    base_id = rows[0].base_id
    assert base_id is not None  # every change has a build before it
    return Incident(
        project=work.project,
        build_id=build_id,
        range_start_id=base_id,
        state=state,
        note="" if is_new else "Looked at in the weekly round.",
        opened_at=opened,
        told_at=opened,
    )
