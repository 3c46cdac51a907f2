"""What differs between two builds layer by layer, as pages and messages show it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.core.cache import cache

from benchmarks.layers import Change, Difference, layers_difference
from benchmarks.layers.wording import (
    change_words,
    details_words,
    largest_sentence,
    names_words,
    percent_words,
    rest_sentence,
    whole_sentence,
)
from benchmarks.metrics import format_seconds
from perfsite.regressions.layer_files import (
    LayerFiles,
    file_read,
    files_of_engines,
    files_of_profile,
)
from perfsite.regressions.models import Incident, Regression
from perfsite.results.models import Artifact, Series
from perfsite.runs.models import Build, Job
from perfsite.runs.states import JOB_ENDED

SHOWN = 8
KEPT_S = 86_400
_VERSION = 1  # of what is kept; another for other words
_INFERENCE = frozenset({"latency_p50", "gpu_compute_time_p50", "cpu_time_p50"})  # the time of one inference

Whole = tuple[float | None, float | None]  # before and after

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LayerRow:
    """One group of layers: texts for a cell each; empty where nothing is known."""

    names: str
    before: str
    after: str
    change: str
    share: str
    differs: str


@dataclass(frozen=True)
class LayersShown:
    """The largest groups, what they explain, and where to get the files; `waiting` while there are none."""

    source: str = ""
    sentences: Sequence[str] = ()
    rows: Sequence[LayerRow] = ()
    more: int = 0
    timed: bool = False
    files: Sequence[tuple[str, Artifact]] = ()
    waiting: str = ""
    about_series: bool = True  # and not about another case of the incident


def layers_shown(*, incident: Incident, worst: Regression | None) -> LayersShown | None:
    """The differences, ranked; None when neither engines nor profiles of both builds are there."""
    if worst is None:
        return None
    series, base = worst.series, worst.verdict.base or incident.range_start
    job = _profile_job(incident)
    found = files_of_profile(job, series) if job is not None and job.state == "done" else None
    found = found or files_of_engines(base, incident.build, series)
    if found is None:
        return _waiting(job)
    whole = worst.verdict.before, worst.verdict.after
    return _shown(found, whole if _is_inference(found, series) else (None, None), str(worst))


def layers_between(*, base: Build, new: Build, series: Series, values: Whole) -> LayersShown | None:
    """The differences between any two builds' engines for a case; None where not both are there.

    `values` are what the series says of the two, in its metric's unit.
    """
    found = files_of_engines(base, new, series, (f"Base {base.short}", f"New {new.short}"))
    if found is None:
        return None
    about = f"{series} between {base.short} and {new.short}"
    return _shown(found, values if _is_inference(found, series) else (None, None), about)


def _shown(found: LayerFiles, whole: Whole, about: str) -> LayersShown | None:
    """The comparison, kept for a day; `whole` is one inference of each build where that is known."""
    parts = [_VERSION, *found.digests, *whole]
    key = f"layers:{hashlib.sha256(repr(parts).encode()).hexdigest()}"
    shown: LayersShown | None = cache.get(key)
    if shown is None:
        shown = _compared(found, whole, about)
        if shown is None:
            return None
        cache.set(key, shown, KEPT_S)
    return replace(shown, source=found.source, files=found.offered, about_series=found.about_series)


def _profile_job(incident: Incident) -> Job | None:
    """The newest profile of the accused build that is done, else the newest."""
    jobs = Job.objects.filter(run__build=incident.build_id, kind=Job.Kind.PROFILE)
    return min(jobs, key=lambda job: (job.state != "done", -job.pk), default=None)


def _waiting(job: Job | None) -> LayersShown | None:
    """That a profile is under way, or why there is none; None where nobody asked for one."""
    if job is None:
        return None
    if job.state not in JOB_ENDED:
        return LayersShown(waiting="A profile of both builds is ordered; what differs will stand here.")
    report = getattr(job, "report", None)
    reasons = [row["reason"] for row in report.outcomes] if report else [job.failure or job.state]
    why = "; ".join(filter(None, reasons))
    return LayersShown(waiting=f"No profile of the two builds could be taken: {why}") if why else None


def _is_inference(found: LayerFiles, series: Series) -> bool:
    """Whether the series is about the time of one inference of the very case of the files."""
    return found.about_series and series.metric in _INFERENCE


def _compared(found: LayerFiles, whole: Whole, about: str) -> LayersShown | None:
    """None where a file is gone, damaged or too large; the log tells."""
    try:
        good, suspect = file_read(found.good, found.times[0]), file_read(found.suspect, found.times[1])
    except (OSError, ValueError) as error:
        log.warning("the layers of %s cannot be compared: %s", about, error)
        return None
    before_s, after_s = whole if good.timed and suspect.timed else (None, None)
    compared = layers_difference(good, suspect, before_s=before_s, after_s=after_s)
    changes = _worth_telling(compared)
    return LayersShown(
        sentences=tuple(filter(None, _sentences(compared))),
        rows=tuple(map(_row, changes[:SHOWN])),
        more=max(0, len(changes) - SHOWN),
        timed=compared.seconds is not None,
    )


def _worth_telling(compared: Difference) -> list[Change]:
    """Of untimed layers those that differ; of timed ones all, for their times always do."""
    if compared.seconds is not None:
        return list(compared.changes)
    return [one for one in compared.changes if one.details or one.group.how in ("added", "removed")]


def _sentences(compared: Difference) -> tuple[str, ...]:
    if compared.seconds is None:
        return ("Nobody timed these layers; what differs is shown without times.",)
    return largest_sentence(compared), rest_sentence(compared), whole_sentence(compared)


def _row(change: Change) -> LayerRow:
    return LayerRow(
        names=names_words(change),
        before="" if change.before_s is None else format_seconds(change.before_s),
        after="" if change.after_s is None else format_seconds(change.after_s),
        change="" if change.seconds is None else change_words(change.seconds),
        share="" if change.share is None else percent_words(change.share),
        differs=details_words(change),
    )
