"""The rule's parameters of a project: what they may be, which hold now, and changing them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from perfsite.core.errors import PerfsiteError
from perfsite.regressions.detection import EAGER, Budget
from perfsite.regressions.models import RuleChange
from perfsite.results.metrics import metric_is_judged
from perfsite.runs.models import Project
from perfsite.runs.relevant import case_check, key_read, keys_tied

DEFAULTS: dict[str, Any] = {
    "score": EAGER.score,
    "relevant": {},
    "alpha": Budget.alpha,
    "max_pairs": Budget.most,
}

# name -> (least, most, what it is)
BOUNDS: dict[str, tuple[float, float, str]] = {
    "score": (2.0, 12.0, "how many standard errors a suspicion needs"),
    "alpha": (0.0001, 0.2, "how often a comparison may tell a change where there is none"),
    "max_pairs": (2, 200, "how many pairs a comparison may run"),
}
_LARGEST_RELEVANT = 1.0
_CASES_MOST = 40  # each is held against every other

RELEVANT_HELP = (
    "METRIC, or CASE:METRIC where CASE is a pattern of model/runner/precision/shape as in perfsite.toml "
    "(resnet50/onnxruntime/*/*); a key with a case goes before one without, of several the longest pattern"
)


def rule_checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A whole set of parameters from some of them; what is left out has its default.

    Raises:
        PerfsiteError: an unknown name, or a value that makes no rule; the message says which and why.
    """
    unknown = sorted(set(fields) - set(DEFAULTS))
    if unknown:
        raise PerfsiteError(f"the rule has no parameter {unknown[0]!r}; it has {', '.join(DEFAULTS)}")
    found = {**DEFAULTS, **fields}
    for name in BOUNDS:
        found[name] = _number(name, found[name])
    found["relevant"] = _relevant(found["relevant"])
    return found


def rule_newest(*, project_id: int) -> RuleChange | None:
    """The change that holds now; None while the defaults do."""
    return RuleChange.objects.filter(project_id=project_id).order_by("-id").first()


def rule_now(*, project_id: int) -> dict[str, Any]:
    """The parameters that hold now, all of them."""
    newest = rule_newest(project_id=project_id)
    stored = newest.parameters if newest else {}
    return {**DEFAULTS, **{name: value for name, value in stored.items() if name in DEFAULTS}}


def rule_with(*, project_id: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that hold now with `changes`; a key of `relevant` that is None goes.

    Raises:
        PerfsiteError: as `rule_checked`.
    """
    now = rule_now(project_id=project_id)
    relevant = changes.get("relevant", {})
    if not isinstance(relevant, Mapping):
        raise _no_table(relevant)
    merged = {**now["relevant"], **relevant}
    kept = {name: value for name, value in merged.items() if value is not None}
    return rule_checked({**now, **changes, "relevant": kept})


@transaction.atomic
def rule_change(
    *, project: Project, parameters: Mapping[str, Any], actor: str, reason: str, since: int | None
) -> RuleChange:
    """Let `parameters` hold from now on.  `since` is the change the person saw, None for the defaults.

    Raises:
        PerfsiteError: a value that makes no rule, no reason, nothing changed, or another change since.
    """
    wanted = rule_checked(parameters)
    if not reason.strip():
        raise PerfsiteError("say why the rule is changed: whoever reads its history will ask")
    Project.objects.select_for_update().get(pk=project.pk)  # two persons at once: the second is told
    newest = rule_newest(project_id=project.pk)
    if (newest.pk if newest else None) != since:
        who = newest.actor if newest and newest.actor else "somebody"
        raise PerfsiteError(f"{who} changed the rule meanwhile; look at the difference again")
    if wanted == rule_now(project_id=project.pk):
        raise PerfsiteError("these are the parameters that hold already")
    return RuleChange.objects.create(
        project=project, actor=actor[:150], parameters=wanted, reason=reason.strip()
    )


def _number(name: str, value: Any) -> float | int:
    least, most, what = BOUNDS[name]
    whole = isinstance(least, int)
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        raise PerfsiteError(f"{name} is {value!r}, not a {'whole ' if whole else ''}number: {what}")
    if not least <= value <= most:
        raise PerfsiteError(f"{name} is {value:g}; it can be {least:g} to {most:g}: {what}")
    return value if whole else float(value)


def _relevant(table: Any) -> dict[str, float]:
    if not isinstance(table, Mapping):
        raise _no_table(table)
    for key, value in table.items():
        _key_check(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0.0 <= value <= _LARGEST_RELEVANT:
            raise PerfsiteError(f"relevant of {key} is {value!r}; it is a part of 1: 0.05 is 5 %")
    cases = [key for key in table if key_read(key)[0]]
    if len(cases) > _CASES_MOST:
        raise PerfsiteError(f"relevant has {len(cases)} keys with a case; it can have {_CASES_MOST}")
    if tied := keys_tied(cases):
        raise PerfsiteError(
            f"relevant has {tied[0]} and {tied[1]}, equally long patterns that one case can match: "
            "nothing tells which holds; make one of them longer"
        )
    return {key: float(table[key]) for key in sorted(table)}


def _key_check(key: Any) -> None:
    case, metric = key_read(key) if isinstance(key, str) else ("", key)
    if not isinstance(metric, str) or not metric_is_judged(metric):
        raise PerfsiteError(
            f"relevant names {metric!r}, which is no metric that is judged; a key is METRIC or CASE:METRIC"
        )
    if case or key != metric:
        try:
            case_check(case)
        except ValueError as error:
            raise PerfsiteError(f"relevant has {key!r}: {error}") from None


def _no_table(given: Any) -> PerfsiteError:
    return PerfsiteError(f"relevant is {given!r}; it is a table from METRIC or CASE:METRIC to a part of 1")
