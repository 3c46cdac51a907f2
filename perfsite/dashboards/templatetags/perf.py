"""Filters and small pieces for the templates: all of them speak through `formatting`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from benchmarks.soak_readings import is_readings
from perfsite.access.roles import Role, role_in
from perfsite.dashboards import formatting
from perfsite.dashboards.audit_words import audit_words
from perfsite.dashboards.charts.comparing import Mean, Pair
from perfsite.dashboards.charts.series import Delta
from perfsite.permissions import RULES, may_write
from perfsite.regressions.models import Verdict
from perfsite.regressions.wording import shape_words
from perfsite.runs.models import Build, Job, Project

register = template.Library()

register.filter("bytes_text", formatting.bytes_text)
register.filter("metric_title", formatting.metric_title)
register.filter("metric_direction", formatting.metric_direction)
register.filter("audit_words", audit_words)
register.filter("money", formatting.money_text)
register.filter("percent", formatting.percent_text)
register.filter("shape_words", shape_words)
register.filter("short_sha", formatting.short_sha)
register.filter("value_text", formatting.value_text)


@register.simple_tag(takes_context=True)
def is_maintainer(context: template.Context, project: Project) -> bool:
    """Whether the reader may open what a project's maintainers keep: its alerts and its tokens."""
    user = getattr(context.get("request"), "user", None)
    return user is not None and role_in(user, project.pk) >= Role.MAINTAINER


@register.simple_tag(takes_context=True)
def is_administrator(context: template.Context) -> bool:
    """Whether the reader may open what belongs to the site: its outbox and its audit log."""
    user = getattr(context.get("request"), "user", None)
    return user is not None and role_in(user, None) >= Role.ADMINISTRATOR


@register.simple_tag(takes_context=True)
def may(context: template.Context, name: str, project: Project | None = None) -> bool:
    """Whether the reader may change something by this address: a button nobody may press is not shown."""
    request = context.get("request")
    return request is not None and may_write(request, name, project.pk if project else None)


@register.simple_tag(takes_context=True)
def page_query(context: template.Context, name: str, number: int) -> str:
    """The query of another page of the list whose parameter is `name` (`page` where there is one list)."""
    query = context["request"].GET.copy()
    query[name or "page"] = str(number)
    return f"?{query.urlencode()}"


@register.simple_tag
def role_for(name: str) -> str:
    """The role that an address asks of who changes something by it."""
    return RULES[name].write.name.lower()


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A moment as `12 min ago`, the exact time on hover; a script keeps it fresh."""
    if moment is None:
        return "never"
    exact = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        exact.strftime("%Y-%m-%d %H:%M:%S %Z"),
        formatting.ago_text(moment, now=timezone.now()),
    )


@register.filter
def duration(span: float | timedelta | None) -> str:
    """A span of time in words; a number is in seconds."""
    return formatting.duration_text(span)


@register.filter
def change(verdict: Verdict) -> str:
    """A verdict's change with its interval: `+6.9 % [6.1, 7.8]`."""
    return formatting.change_text(verdict.relative, verdict.relative_low, verdict.relative_high)


@register.filter
def delta(row: Delta | Mean | None) -> str:
    """A point's change against the one before: `+0.4 % [-0.1, 0.9]`."""
    return formatting.change_text(*((row.relative, row.low, row.high) if row else (None, None, None)))


@register.filter
def pair_change(pair: Pair) -> str:
    """The change of one side of a comparison against the other."""
    return formatting.change_text(*pair.change)


@register.filter
def split_value(split: str) -> str:
    """What splits a series from its like: `gpu_name=NVIDIA H100` as `NVIDIA H100`."""
    return split.partition("=")[2] or split


@register.filter
def spaced(name: str) -> str:
    """A name of the code as words: `incident-mute`, `due_on` as `incident mute`, `due on`."""
    return name.replace("-", " ").replace("_", " ")


@register.filter
def share(part: float) -> str:
    """A part of a whole, 0 to 1, in whole per cent."""
    return f"{100 * part:.0f}{formatting.THIN}%"


@register.filter
def evalue(value: float) -> str:
    """An e-value with few digits: `1,234` or `3.4e+12`."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.2g}"


@register.filter
def took(job: Job) -> timedelta | None:
    """How long an ended job's last attempt took."""
    return job.ended_at - job.started_at if job.ended_at and job.started_at else None


@register.filter
def is_soak(job: Job) -> bool:
    """Whether a job left the readings of a soak; its files were fetched."""
    return any(is_readings(file.name) for file in job.artifacts.all())


@register.filter
def outcomes(job: Job) -> list[dict[str, Any]]:
    """The cases of a job that were skipped or failed, with their reasons."""
    report = getattr(job, "report", None)
    return [row for row in report.outcomes if row["status"] != "done"] if report else []


@register.filter
def join_lines(lines: list[str]) -> str:
    """Shell lines as one text."""
    return "\n".join(lines)


@register.filter
def item(table: dict[Any, Any], key: Any) -> Any:
    """`table[key]`, or None."""
    return table.get(key)


@register.filter
def counted(count: int, noun: str) -> str:
    """A count with its noun: `3|counted:"build"` is `3 builds`; `"match,matches"` gives the plural."""
    one, _, many = noun.partition(",")
    return formatting.plural(count, one, many)


@register.simple_tag
def badge(state: str, count: int | None = None) -> SafeString:
    """A state as a shape and a word, never as a colour alone; with a count, `▲ 3 regressed`."""
    row = formatting.badge_for(state)
    word = row.word if count is None else f"{count} {row.word}"
    return format_html(
        '<span class="badge tone-{}"><span class="shape" aria-hidden="true">{}</span> {}</span>',
        row.tone,
        row.shape,
        word,
    )


@register.simple_tag
def shape(state: str, title: str = "") -> SafeString:
    """A state as its shape alone, with the word for those who do not see it."""
    row = formatting.badge_for(state)
    return format_html(
        '<span class="shape tone-{}" role="img" aria-label="{}" title="{}">{}</span>',
        row.tone,
        title or row.word,
        title or row.word,
        row.shape,
    )


@register.inclusion_tag("dashboards/parts/commit.html")
def commit(build: Build, *, subject: bool = True) -> dict[str, Any]:
    """A commit: seven characters in mono, the subject beside it."""
    return {"build": build, "subject": subject}
