"""What moved lately, over all projects: a day, a week, a month or a year, by one filter."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from perfsite.dashboards.selectors.access import projects_readable
from perfsite.dashboards.selectors.lately import RANKS, SPANS, moved_since
from perfsite.dashboards.selectors.prices import prices_known
from perfsite.dashboards.views.overviews import moved_table
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
    prices = prices_known() if request.user.is_authenticated else {}
    ranks = [name for name in RANKS if prices or name != "cost"]
    rank = rank if rank in ranks else RANKS[0]
    kind, text = request.GET.get("kind", ""), request.GET.get("q", "").strip()[:200]
    slug = request.GET.get("project", "")
    readable = list(projects_readable(request=request))
    projects = [row for row in readable if row.slug == slug] if slug else readable
    moment = timezone.now() - SPANS[since]
    found = moved_since(projects=projects, since=moment, kind=kind, text=text, rank=rank, prices=prices)
    context = {
        "page": page_of(request, found),
        "spans": list(SPANS),
        "since": since,
        "ranks": ranks,
        "prices": prices,
        "rank": rank,
        "kind": kind,
        "kinds": ("regressed", "improved"),
        "text": text,
        "slug": slug,
        "projects": readable,
    }

    def tables() -> list[Table]:
        return [moved_table(found[:_TWIN_ROWS])]

    return page_render(request, "dashboards/lately.html", context, tables=tables)
