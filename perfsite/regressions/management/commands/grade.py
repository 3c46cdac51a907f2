"""`manage.py grade`: how right the service was about a project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from perfsite.regressions.grading.expected import expected_read
from perfsite.regressions.grading.figures import Figures, grading_read
from perfsite.regressions.grading.rules import rule_now
from perfsite.regressions.grading.words import (
    alarms_sentence,
    per_thousand_words,
    precision_sentence,
    refuted_sentence,
    rule_words,
    share_words,
)
from perfsite.runs.models import Project

_HEAD = ("kind", "self-tests", "false alarms", "precision 90 d", "precision ever", "in vain per 1,000")


class Command(BaseCommand):
    """Print the figures of the page `/projects/SLUG/grading/`."""

    help = "Print false alarms from self-tests, precision from triage, suspicions in vain, and the rule."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--project", required=True, help="its short name in URLs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a sentence each and a line per kind of series."""
        project = project_named(options["project"])
        now = timezone.now()
        found, rule = grading_read(project=project, now=now), rule_now(project_id=project.pk)
        every = found.every
        self.stdout.write(alarms_sentence(every.alarms, comparisons=every.comparisons, alpha=rule["alpha"]))
        self.stdout.write(precision_sentence(every.precision, waiting=found.waiting))
        self.stdout.write(
            refuted_sentence(every.refuted, confirmed=every.confirmed, open_ended=every.open_ended)
        )
        self.stdout.write(expected_read(project=project, now=now))
        self.stdout.write(f"Rule: {rule_words(rule)}")
        rows = [_HEAD, *(_row(figures) for figures in found.kinds)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows if found.kinds else ():
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def project_named(slug: str) -> Project:
    """The project of this name.

    Raises:
        CommandError: there is none; the message lists those that are.
    """
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"there is no project {slug!r}; known: {known or 'none yet'}")
    return project


def _row(figures: Figures) -> tuple[str, ...]:
    kind = figures.kind
    return (
        f"{kind.group}, {kind.device_class}" if kind else "all",
        str(figures.alarms.total),
        share_words(figures.alarms),
        share_words(figures.precision),
        share_words(figures.precision_ever),
        per_thousand_words(figures.refuted),
    )
