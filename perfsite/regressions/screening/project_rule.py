"""The screen's rule that holds for a project, from its rows."""

from __future__ import annotations

from perfsite.regressions.models import RuleChange
from perfsite.regressions.screening.rule import Rule, rule_read


def rule_of(*, project_id: int) -> Rule:
    """The rule that holds now for a project."""
    newest = RuleChange.objects.filter(project_id=project_id).order_by("-id").first()
    return rule_read(newest.parameters if newest else {})
