"""How right the service was, and what another rule would have made of it, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.metrics import METRICS
from perfsite.dashboards.formatting import metric_title
from perfsite.regressions.grading.doubt import OUTCOMES
from perfsite.regressions.grading.dry_run import DryRun, Side, Told
from perfsite.regressions.grading.expected import expected_read
from perfsite.regressions.grading.figures import Figures, Grading
from perfsite.regressions.grading.rules import BOUNDS, DEFAULTS, rule_newest
from perfsite.regressions.grading.words import (
    alarms_sentence,
    command_words,
    per_thousand_words,
    precision_sentence,
    refuted_sentence,
    rule_words,
    share_words,
)
from perfsite.regressions.models import RuleChange
from perfsite.results.metrics import metric_row
from perfsite.results.models import Series
from perfsite.results.selectors import metric_judged
from perfsite.runs.models import Build, Project
from perfsite.runs.relevant import key_read

_CHANGES = 50
_LISTED = 20
_LABELS = {"score": "Score of a suspicion", "alpha": "Alpha of a comparison", "max_pairs": "Most pairs"}


@dataclass(frozen=True)
class KindRow:
    """One row of the table; all cells are words."""

    group: str
    device_class: str
    tests: int
    alarms: str
    precision: str
    precision_ever: str
    refuted: str


@dataclass(frozen=True)
class Change:
    """A change of the rule: what it was from then on."""

    row: RuleChange
    words: str


@dataclass(frozen=True)
class Field:
    """One parameter in the form: `value` as it is typed, `usual` what holds when nobody sets it."""

    name: str
    label: str
    value: str
    usual: str
    hint: str = ""


@dataclass(frozen=True)
class Listed:
    """A suspicion that only one of two rules has; `build` is the first of the new level."""

    told: Told
    build: Build | None


def kind_rows(grading: Grading) -> list[KindRow]:
    """The figures by kind of series, all of them first."""
    return [_kind_row(grading.every), *(_kind_row(figures) for figures in grading.kinds)]


def grading_sentences(grading: Grading, *, alpha: float) -> list[tuple[str, str]]:
    """A title and a sentence for each of the three questions."""
    every = grading.every
    return [
        ("False alarms", alarms_sentence(every.alarms, comparisons=every.comparisons, alpha=alpha)),
        ("Precision", precision_sentence(every.precision, waiting=grading.waiting)),
        (
            "Suspicions in vain",
            refuted_sentence(every.refuted, confirmed=every.confirmed, open_ended=every.open_ended),
        ),
    ]


def alarms_expected(*, project: Project, now: datetime) -> tuple[str, str]:
    """A title and a sentence on how many false verdicts the comparisons allow."""
    return "False verdicts to expect", expected_read(project=project, now=now)


def rule_history(*, project: Project) -> list[Change]:
    """The changes of the rule, the newest first."""
    rows = RuleChange.objects.filter(project=project).order_by("-id")[:_CHANGES]
    return [Change(row, rule_words(row.parameters)) for row in rows]


def rule_since(*, project: Project) -> str:
    """Which change a form was made from; empty for the defaults."""
    newest = rule_newest(project_id=project.pk)
    return str(newest.pk) if newest else ""


def number_fields(parameters: Mapping[str, Any]) -> list[Field]:
    """The form's fields of the plain numbers."""
    return [
        Field(name, _LABELS[name], f"{parameters[name]:g}", f"{DEFAULTS[name]:g}", what)
        for name, (_, _, what) in BOUNDS.items()
    ]


def relevant_fields(parameters: Mapping[str, Any], *, project: Project) -> list[Field]:
    """The form's fields of the relevant changes, in per cent: of every judged metric and the rule's keys."""
    rows = Series.objects.filter(metric_judged(), project=project).order_by()
    given = parameters["relevant"]
    keys = {*rows.values_list("metric", flat=True).distinct(), *given}
    places = {name: place for place, name in enumerate(METRICS)}

    def place(key: str) -> tuple[int, str, str]:
        case, metric = key_read(key)
        return places.get(metric, len(places)), metric, case

    return [_relevant_field(key, given) for key in sorted(keys, key=place)]


def _relevant_field(key: str, given: Mapping[str, float]) -> Field:
    """`usual` of a key with a case is what the metric has without one."""
    case, metric = key_read(key)
    row = metric_row(metric)
    usual = given.get(metric) if case else None
    if usual is None and row is not None:
        usual = row.relevant
    return Field(
        f"relevant.{key}",
        f"{metric_title(metric)} of {case}" if case else metric_title(metric),
        f"{100 * given[key]:g}" if key in given else "",
        "" if usual is None else f"{100 * usual:g}",
    )


def told_listed(rows: Sequence[Told], *, project: Project) -> list[Listed]:
    """The first suspicions of a list with the builds they accuse, in one query."""
    shown = rows[:_LISTED]
    places = {row.doubt.ordinal for row in shown}
    builds = Build.objects.filter(project=project, branch=project.branch, ordinal__in=places)
    known = {build.ordinal: build for build in builds}
    return [Listed(row, known.get(row.doubt.ordinal)) for row in shown]


@dataclass(frozen=True)
class Trial:
    """A dry run as the page shows it: rows of `(what, now, tried)`, the lists, and what was looked at."""

    run: DryRun
    words: str
    command: str
    rows: list[tuple[str, str, str]]
    gained: list[Listed]
    lost: list[Listed]


def trial_shown(run: DryRun, *, project: Project) -> Trial:
    """What a dry run found."""
    columns = [_side_words(side) for side in (run.before, run.after)]
    rows = [(what, columns[0][what], columns[1][what]) for what in columns[0]]
    gained, lost = (told_listed(told, project=project) for told in (run.gained, run.lost))
    return Trial(run, rule_words(run.tried), command_words(project.slug, run.tried), rows, gained, lost)


def _side_words(side: Side) -> dict[str, str]:
    outcomes = {word.capitalize(): f"{side.counts.get(word, 0):,}" for word in OUTCOMES}
    return {
        "Suspicions": f"{side.suspicions:,}",
        **outcomes,
        "Comparisons": f"{side.comparisons:,}",
        "Device minutes": "not known" if side.minutes is None else f"{side.minutes:,.0f}",
    }


def _kind_row(figures: Figures) -> KindRow:
    kind = figures.kind
    return KindRow(
        kind.group if kind else "all",
        kind.device_class if kind else "",
        figures.alarms.total,
        share_words(figures.alarms),
        share_words(figures.precision),
        share_words(figures.precision_ever),
        per_thousand_words(figures.refuted),
    )
