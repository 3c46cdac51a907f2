"""What moved lately, over all projects: a day, a week, a month or a year, by one filter."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from perfsite.dashboards.selectors.access import projects_readable
from perfsite.dashboards.selectors.lately import RANKS, SPANS, moved_since
from perfsite.dashboards.views.reading import page, page_of
from perfsite.dashboards.views.twins import Table, page_render

_TWIN_ROWS = 20_000


@require_safe
@page
def lately(request: HttpRequest) -> HttpResponse:
    """`since` (day, week, month, year), `kind`, `q`, `rank` and `project` (a slug)."""
    since = request.GET.get("since", "")
    since = since if since in SPANS else "week"
    rank = request.GET.get("rank", "")
    rank = rank if rank in RANKS else RANKS[0]
    kind, text = request.GET.get("kind", ""), request.GET.get("q", "").strip()[:200]
    slug = request.GET.get("project", "")
    readable = list(projects_readable(request=request))
    projects = [row for row in readable if row.slug == slug] if slug else readable
    moment = timezone.now() - SPANS[since]
    found = moved_since(projects=projects, since=moment, kind=kind, text=text, rank=rank)
    context = {
        "page": page_of(request, found),
        "spans": list(SPANS),
        "since": since,
        "ranks": RANKS,
        "rank": rank,
        "kind": kind,
        "kinds": ("regressed", "improved"),
        "text": text,
        "slug": slug,
        "projects": readable,
    }

    def tables() -> list[Table]:
        columns = ("decided_at", "project", "sha", "verdict", "series", "metric", "relative", "relative_low")
        rows = [
            (row.created_at.isoformat(), row.series.project.slug, row.build.sha, row.kind, row.series.label,
             row.series.metric, row.relative, row.relative_low, row.relative_high, row.sentence)
            for row in found[:_TWIN_ROWS]
        ]  # fmt: skip
        return [Table("moved", (*columns, "relative_high", "sentence"), rows)]

    return page_render(request, "dashboards/lately.html", context, tables=tables)
