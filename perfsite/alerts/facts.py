"""The facts of messages, read from the rows: of an incident, and of a build's improvements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from benchmarks.cases import ModelSource
from benchmarks.metrics import metric_get
from perfsite.alerts.chart import ChartPoint, chart_png
from perfsite.alerts.deciding import SeriesFact
from perfsite.alerts.inside import inside_of, layer_largest, layers_known, layers_told
from perfsite.alerts.message import IncidentFacts, RegressionFacts
from perfsite.alerts.mute_links import mute_url
from perfsite.regressions.bisection.accusing import Accusation, accusation_of, regression_accuses
from perfsite.regressions.bisection.covering import witnesses_of
from perfsite.regressions.causes.closing import regressions_standing
from perfsite.regressions.changes import subject_of
from perfsite.regressions.level_words import breach_sentence
from perfsite.regressions.models import Incident, LevelStanding, Verdict
from perfsite.regressions.selectors import case_of, change_rank
from perfsite.regressions.wording import Change, shape_words
from perfsite.results.models import Measurement, Series
from perfsite.runs.models import Build
from perfsite.runs.reproduce import reproduce_command
from perfsite.runs.selectors import file_url

CHART_BUILDS = 60


def incident_url(*, incident: Incident) -> str:
    """The incident's page."""
    return f"{settings.SITE_URL}/projects/{incident.project.slug}/incidents/{incident.pk}/"


def incident_facts(*, incident: Incident, is_again: bool = False) -> IncidentFacts:
    """What a message about it says; `is_again` to those who heard of it before it was taken back."""
    accused = accusation_of(incident=incident)
    ranked = regressions_standing(incident=incident)
    searches = witnesses_of(incident=incident)
    whom = [regression_accuses(regression=row, searches=searches) for row in ranked]
    if whom and searches:  # the first sentence is the worst one's, and accuses whom that does
        accused = replace(whom[0], sentence=accused.sentence)
    build = accused.build
    worst = ranked[0] if ranked else None
    layers = layers_known(incident=incident, worst=worst) if worst else None
    return IncidentFacts(
        project=incident.project.slug,
        sha=build.sha,
        commit_subject=build.subject,
        author=build.author_name,
        last_good=accused.good.sha,
        url=incident_url(incident=incident),
        regressions=tuple(verdict_facts(row.verdict, one) for row, one in zip(ranked, whom, strict=True)),
        suspects=accused.suspects,
        search=accused.sentence,
        headline=incident.facts.get("headline", ""),
        is_innocent=incident.kind != Incident.Kind.CODE,
        withdrawn=incident.withdrawn_reason if incident.withdrawn_at else "",
        inside=inside_of(worst.verdict) + layers_told(layers) if worst else (),
        layer=layer_largest(layers, worst=worst) if worst else {},
        mute_url=mute_url(incident=incident),
        incident=incident.pk,
        opening=incident.opening,
        again=incident.facts.get("again", "") if is_again and incident.withdrawn_at is None else "",
        breaches=tuple(_breach(row) for row in breaches_of(incident=incident)),
    )


def improvement_facts(*, build: Build, verdicts: Sequence[Verdict]) -> IncidentFacts:
    """What a message about a build's improvements says; `verdicts` are at least one, the best first."""
    base = verdicts[0].base or build
    accused = Accusation(build, base)
    return IncidentFacts(
        project=build.project.slug,
        sha=build.sha,
        commit_subject=build.subject,
        author=build.author_name,
        last_good=base.sha,
        url=f"{settings.SITE_URL}/projects/{build.project.slug}/builds/{build.pk}/",
        regressions=tuple(verdict_facts(row, accused) for row in verdicts),
        is_improvement=True,
        inside=inside_of(verdicts[0]),
    )


def improvements_of(*, build: Build) -> list[Verdict]:
    """The confirmed improvements of a build, the one that a person feels most first."""
    rows = Verdict.objects.filter(build=build).select_related("series", "base", "job").order_by("id")
    newest = {row.series_id: row for row in rows if row.kind != Verdict.Kind.UNKNOWN}
    better = [
        row
        for row in newest.values()
        if row.kind == Verdict.Kind.IMPROVED and row.stage in ("confirmation", "screen")
    ]
    return sorted(better, key=lambda row: change_rank(row.series.metric, row.relative))


def verdict_facts(verdict: Verdict, accused: Accusation) -> RegressionFacts:
    """One metric that moved, for a message."""
    return RegressionFacts(
        subject=replace(subject_of(series=verdict.series, build=verdict.build), sha=accused.label),
        change=Change(
            verdict.before, verdict.after, verdict.relative, verdict.relative_low, verdict.relative_high
        ),
        pairs=verdict.evidence.get("pairs", 0),
        e_value=verdict.evidence.get("e_value"),
        command=_command(verdict, accused.build),
        certainty=verdict.evidence.get("certainty", ""),
        alpha=verdict.parameters.get("alpha") if verdict.evidence.get("pairs") else None,
    )


def series_facts(verdicts: Sequence[Verdict]) -> tuple[SeriesFact, ...]:
    """The series of verdicts, as a rule reads them."""
    return tuple(
        SeriesFact(
            row.series_id, row.series.case_label, row.series.metric, row.series.device_class, row.relative
        )
        for row in verdicts
    )


def incident_series(*, incident: Incident) -> tuple[SeriesFact, ...]:
    """The series of an incident, as a rule reads them; a breach counts by how far it misses its bound."""
    rows = regressions_standing(incident=incident)
    breached = tuple(
        SeriesFact(
            row.series_id,
            row.series.case_label,
            row.series.metric,
            row.series.device_class,
            (row.value - row.bound) / (abs(row.bound) or 1.0),
        )
        for row in breaches_of(incident=incident)
    )
    return series_facts([row.verdict for row in rows]) + breached


def breaches_of(*, incident: Incident) -> list[LevelStanding]:
    """The service levels that an incident is the breach of, as they stand now."""
    rows = LevelStanding.objects.filter(incident=incident, is_met=False)
    return list(rows.select_related("series").order_by("id"))


def _breach(row: LevelStanding) -> tuple[str, tuple[str, ...]]:
    series = row.series
    where = f"on {series.device_class} ({series.runner}, {series.precision}, {shape_words(series.shape)})"
    sentence = breach_sentence(series, value=row.value, bound=row.bound, direction=row.direction)
    return f"{series.model}: {metric_get(series.metric).title} {where}", (sentence,)


def chart_of(verdict: Verdict, *, tone: str) -> bytes:
    """The picture of a verdict's series around its build; empty where it has no place on the branch."""
    place = verdict.build.ordinal
    if place is None:
        return b""
    rows = Measurement.objects.filter(series_id=verdict.series_id, ordinal__lte=place + CHART_BUILDS // 3)
    newest = list(rows.order_by("-ordinal").values_list("ordinal", "value")[:CHART_BUILDS])
    metric = metric_get(verdict.series.metric)
    return chart_png(
        [ChartPoint(ordinal, value) for ordinal, value in reversed(newest)],
        title=_title(verdict.series),
        accused=place,
        before=verdict.before,
        after=verdict.after,
        value_text=metric.format,
        tone=tone,
    )


def _title(series: Series) -> str:
    return f"{metric_get(series.metric).title} of {series.case_label} on {series.device_class}"


def _command(verdict: Verdict, build: Build) -> str:
    case = case_of(verdict=verdict)
    if case is None or verdict.job is None:
        return ""
    source = ModelSource.model_validate(verdict.job.spec["source"])
    return reproduce_command(sha=build.sha, source=source, case=case, file=file_url(build))
