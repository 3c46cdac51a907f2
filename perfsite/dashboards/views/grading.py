"""How right the service was about a project, its rule, and trying another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from perfsite.core.errors import PerfsiteError
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.grading import (
    alarms_expected,
    grading_sentences,
    kind_rows,
    number_fields,
    relevant_fields,
    rule_history,
    rule_since,
    trial_shown,
)
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.regressions.grading.dry_run import PAGE_POINTS, dry_run
from perfsite.regressions.grading.figures import Grading, grading_read
from perfsite.regressions.grading.rules import BOUNDS, RELEVANT_HELP, rule_change, rule_now, rule_with
from perfsite.regressions.grading.words import rule_words
from perfsite.runs.models import Project
from perfsite.runs.relevant import key_read

_RELEVANT = "relevant."
_ONE_MORE = ("case", "metric", "part")


@require_safe
@page
def grading(request: HttpRequest, slug: str) -> HttpResponse:
    """The figures, the rule and its history; with parameters in the address also what they would do."""
    project = project_get(request=request, slug=slug)
    now = timezone.now()
    found = grading_read(project=project, now=now)
    rule = rule_now(project_id=project.pk)
    tried, trial, problem = rule, None, ""
    if request.user.is_authenticated and "score" in request.GET:
        try:
            tried = _parameters(project, request.GET)
            trial = trial_shown(
                dry_run(project=project, parameters=tried, points=PAGE_POINTS), project=project
            )
        except PerfsiteError as error:
            problem = str(error)
    fields = relevant_fields(tried, project=project)
    names = (field.name.removeprefix(_RELEVANT) for field in fields)
    context = {
        "project": project,
        "tab": "grading",
        "grading": found,
        "sentences": [
            *grading_sentences(found, alpha=rule["alpha"]),
            alarms_expected(project=project, now=now),
        ],
        "rows": kind_rows(found),
        "rule": rule_words(rule),
        "history": rule_history(project=project),
        "since": rule_since(project=project),
        "numbers": number_fields(tried),
        "relevant": fields,
        "metrics": [name for name in names if not key_read(name)[0]],
        "relevant_help": RELEVANT_HELP,
        "one_more": {name: request.GET.get(name, "") for name in _ONE_MORE} if problem else {},
        "trial": trial,
        "problem": problem,
    }
    return page_render(request, "dashboards/grading.html", context, tables=lambda: _tables(project, found))


def _tables(project: Project, found: Grading) -> list[Table]:
    """The figures by kind as shares of what they are of, and the rule's history."""
    rates = ("alarms", "precision", "precision_ever", "refuted")
    parts = ("count", "total", "value", "low", "high")
    rows = [
        (
            figures.kind.group if figures.kind else "all",
            figures.kind.device_class if figures.kind else None,
            *(getattr(getattr(figures, rate), part) for rate in rates for part in parts),
        )
        for figures in (found.every, *found.kinds)
    ]
    names = ("kind", "device_class", *(f"{rate}_{part}" for rate in rates for part in parts))
    changes = [
        (change.row.at.isoformat(), change.row.actor, change.row.reason, change.words)
        for change in rule_history(project=project)
    ]
    return [Table("figures", names, rows), Table("history", ("at", "actor", "reason", "rule"), changes)]


@require_POST
@login_required
@page
def rule_apply(request: HttpRequest, slug: str) -> HttpResponse:
    """Let tried parameters hold from now on."""
    project = project_get(request=request, slug=slug)
    since = request.POST.get("since", "")
    try:
        rule_change(
            project=project,
            parameters=_parameters(project, request.POST),
            actor=request.user.get_username(),
            reason=request.POST.get("reason", ""),
            since=int(since) if since.isdecimal() else None,
        )
    except PerfsiteError as error:
        messages.error(request, f"Not applied: {error}.")
    else:
        messages.info(request, "Applied: the next points are judged by the new parameters.")
    return redirect("grading", slug)


def _parameters(project: Project, query: QueryDict) -> dict[str, Any]:
    """The rule that a form describes; an empty field of a relevant change means the usual one.

    Raises:
        PerfsiteError: a field is no number, or the numbers make no rule.
    """
    sent: dict[str, str] = query.dict()  # type: ignore[assignment]  # the last value of each name is text
    changes: dict[str, Any] = {name: _number(name, sent[name]) for name in BOUNDS if name in sent}
    if "max_pairs" in changes and changes["max_pairs"].is_integer():
        changes["max_pairs"] = int(changes["max_pairs"])
    metrics = [name for name in sent if name.startswith(_RELEVANT)]
    changes["relevant"] = {
        name.removeprefix(_RELEVANT): _number(name, sent[name]) / 100 if sent[name].strip() else None
        for name in metrics
    }
    changes["relevant"] |= _one_more(sent)
    return rule_with(project_id=project.pk, changes=changes)


def _one_more(sent: Mapping[str, str]) -> dict[str, float]:
    """The key with a case that the form adds, if any."""
    case, metric, part = (sent.get(name, "").strip() for name in _ONE_MORE)
    if not case and not part:
        return {}
    if not case or not part:
        raise PerfsiteError("a case's own smallest change needs the case and the per cent")
    return {f"{case}:{metric}": _number("part", part) / 100}


def _number(name: str, text: str) -> float:
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise PerfsiteError(f"{name} is {text[:40]!r}, not a number") from None
