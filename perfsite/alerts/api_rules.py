"""The API of a project's rules: list, add, change, remove, and try on history."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from perfsite.access.auth import MANAGERS
from perfsite.access.readers import row_owned
from perfsite.alerts.api_schemas import RuleIn, RuleOut, RuleTryIn, TrialOut
from perfsite.alerts.checking import rule_checked
from perfsite.alerts.configuring import rule_remove, rule_save
from perfsite.alerts.defaults import defaults_ensure
from perfsite.alerts.models import Channel, Rule
from perfsite.alerts.telling import terms_of
from perfsite.alerts.trying import Trial, rule_try
from perfsite.core.errors import NotFoundError
from perfsite.core.pagination import Cursor, Page, page_of
from perfsite.core.parameters import RowId
from perfsite.runs.models import Project

router = Router(auth=MANAGERS, tags=["alerts"])


def _project(request: HttpRequest, slug: str) -> Project:
    found: Project = row_owned(request, Project.objects.all(), project="", slug=slug)
    return found


def _rule(project: Project, rule_id: int) -> Rule:
    found = Rule.objects.filter(project=project, pk=rule_id).first()
    if found is None:
        raise NotFoundError(f"{project.slug} has no rule {rule_id}; /alert-rules lists those that are")
    return found


def _store(project: Project, body: RuleIn, rule: Rule | None = None) -> Rule:
    values: dict[str, Any] = body.model_dump(exclude={"channels"})
    channels = Channel.objects.filter(project=project).in_bulk(body.channels)
    if missing := sorted(set(body.channels) - channels.keys()):
        raise NotFoundError(f"{project.slug} has no channel {missing[0]}; /channels lists those that are")
    return rule_save(
        project=project, rule=rule, values=rule_checked(values), channels=list(channels.values())
    )


@router.get("/projects/{slug:slug}/alert-rules", response=Page[RuleOut])
def rules(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The project's rules; one that tells everything where nobody set any."""
    project = _project(request, slug)
    defaults_ensure(project=project)
    return page_of(Rule.objects.filter(project=project).prefetch_related("channels"), cursor)


@router.post("/projects/{slug:slug}/alert-rules", response={201: RuleOut})
def rule_add(request: HttpRequest, slug: str, body: RuleIn) -> Status:
    """Add a rule; it decides about the next incident."""
    return Status(201, _store(_project(request, slug), body))


@router.post("/projects/{slug:slug}/alert-rules/try", response=TrialOut)
def rule_trial(request: HttpRequest, slug: str, body: RuleTryIn) -> Trial:
    """What a rule would have told over the last days; nothing is stored."""
    project = _project(request, slug)
    values = rule_checked(body.model_dump(exclude={"days"}))
    return rule_try(project=project, terms=terms_of(Rule(**values)), days=body.days, now=timezone.now())


@router.get("/projects/{slug:slug}/alert-rules/{rule_id}", response=RuleOut)
def rule(request: HttpRequest, slug: str, rule_id: RowId) -> Rule:
    """One rule."""
    return _rule(_project(request, slug), rule_id)


@router.put("/projects/{slug:slug}/alert-rules/{rule_id}", response=RuleOut)
def rule_put(request: HttpRequest, slug: str, rule_id: RowId, body: RuleIn) -> Rule:
    """Change a rule, also whether it is used: what is left out has its default again."""
    project = _project(request, slug)
    return _store(project, body, _rule(project, rule_id))


@router.delete("/projects/{slug:slug}/alert-rules/{rule_id}", response={204: None})
def rule_delete(request: HttpRequest, slug: str, rule_id: RowId) -> Status:
    """Remove a rule; what it told stays, and the last one can only be switched off."""
    rule_remove(rule=_rule(_project(request, slug), rule_id))
    return Status(204, None)
