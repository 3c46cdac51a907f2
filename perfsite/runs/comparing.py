"""Orders jobs of two builds: an interleaved comparison, or a profile of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction

from benchmarks.cases import Case
from benchmarks.sequential import Suspected
from perfsite.core.errors import PerfsiteError
from perfsite.core.publish import wake_on_commit
from perfsite.runs.models import Build, Job, Run
from perfsite.runs.services import PRIORITY_BEHIND, PRIORITY_COMPARE, run_refresh
from workers.messages import WAKE_TASK, queue_name

PAIRS_MOST = 20


def compare_order(
    *,
    base: Build,
    build: Build,
    device_class: str,
    pin: str,
    model: str,
    precision: str,
    watch: Sequence[tuple[Case, str]],
    suspected: Sequence[Suspected | None] = (),
    like: Job | None = None,
    purpose: str = "confirmation",
    max_pairs: int = PAIRS_MOST,
    alpha: float | None = None,
    relevant: Mapping[str, float] | None = None,
    priority: int = PRIORITY_COMPARE,
) -> Job:
    """Order an interleaved comparison of `build` with `base`, deciding each watched (case, metric).

    `pin` names the only device that may take it, or is empty.  `suspected` has the step suspected of
    each watch.  `like` is the measure job whose source and limits are taken: one of `build` itself where
    none is given.  `base` may be `build`: what such a comparison tells is false.  `purpose` says who
    waits for it; a `self-test` answers no suspicion.  `alpha` bounds false confirmations and `relevant`
    is the table of smallest changes worth telling (`relevant.py`), where they are not the usual ones.

    Raises:
        PerfsiteError: nothing is watched, there is no measure job to take the source from, or `like` is
            one of another model, precision or device class.
    """
    where = {"device_class": device_class, "model": model, "precision": precision}
    cases = list(dict.fromkeys(case for case, _ in watch))
    if not cases:
        raise PerfsiteError(f"a comparison of {build.short} with {base.short} watches nothing; name a metric")
    like = _source_job(build, like, where)
    spec = {
        **_spec_like(like, base, cases),
        "watch": [[cases.index(case), metric] for case, metric in watch],
        "suspected": [asdict(step) if step else None for step in suspected],
        "max_pairs": max_pairs,
        "purpose": purpose,
        "relevant": dict(relevant or {}),
        **({} if alpha is None else {"alpha": alpha}),
    }
    return _job_queue(build, Job.Kind.COMPARE, where, pin=pin, spec=spec, priority=priority)


def profile_order(
    *,
    base: Build,
    build: Build,
    device_class: str,
    pin: str,
    model: str,
    precision: str,
    cases: Sequence[Case],
    like: Job | None = None,
    priority: int = PRIORITY_BEHIND,
) -> Job:
    """Order a profile of `cases`, of both builds, with the runner's own profiler; `like` as in a comparison.

    Raises:
        PerfsiteError: there is no case, or as `compare_order`.
    """
    where = {"device_class": device_class, "model": model, "precision": precision}
    if not cases:
        raise PerfsiteError(f"a profile of {build.short} and {base.short} needs a case; name one")
    spec = _spec_like(_source_job(build, like, where), base, cases)
    return _job_queue(build, Job.Kind.PROFILE, where, pin=pin, spec=spec, priority=priority)


def _spec_like(like: Job, base: Build, cases: Sequence[Case]) -> dict[str, Any]:
    """What every job of two builds is told."""
    return {
        "source": like.spec["source"],
        "limits": like.spec.get("limits", {}),
        "cases": [case.model_dump() for case in cases],
        "base": base.pk,
    }


def _job_queue(
    build: Build, kind: str, where: dict[str, str], *, pin: str, spec: dict[str, Any], priority: int
) -> Job:
    """Queue a job of the suspected build's run, and wake a worker of its class on commit."""
    with transaction.atomic():
        run, _ = Run.objects.get_or_create(build=build, device_class=where["device_class"])
        job = Job.objects.create(run=run, kind=kind, pin=pin, spec=spec, priority=priority, **where)
        run_refresh(run_id=run.pk)
        wake_on_commit(WAKE_TASK, queue=queue_name(where["device_class"]))
    return job


def _source_job(build: Build, like: Job | None, where: dict[str, str]) -> Job:
    """The measure job that says where the model is and what a job of it may use."""
    wanted = f"{where['model']}/{where['precision']} on {where['device_class']}"
    if like is None:
        own = Job.objects.filter(run__build=build, kind=Job.Kind.MEASURE, **where).first()
        if own is None:
            raise PerfsiteError(f"build {build.short} never measured {wanted}: nothing to compare")
        return own
    if like.kind != Job.Kind.MEASURE or any(getattr(like, name) != value for name, value in where.items()):
        raise PerfsiteError(f"{like} on {like.device_class} is no measure job of {wanted}; name another one")
    return like
