"""Any two builds, branches, GPUs, precisions or runners against each other."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.core.errors import NotFoundError
from perfsite.dashboards.charts.comparing import Comparison, Pair, doubts_of, row_values
from perfsite.dashboards.charts.forge import diff_url
from perfsite.dashboards.charts.histogram import histogram_pair
from perfsite.dashboards.charts.series import facts_label, scale_for
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.compare import (
    WAYS,
    Choice,
    choices_of,
    differences_read,
    sides_read,
    verdicts_told,
)
from perfsite.dashboards.views.reading import number_of, page
from perfsite.dashboards.views.twins import Table, page_render
from perfsite.regressions.layers import LayersShown, layers_between
from perfsite.results.models import Series
from perfsite.results.samples import samples_read
from perfsite.runs.models import Build, Project

_ROWS_MOST = 150  # of the surest changes; the twins have all


@require_safe
@page
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """`by` says what differs, `base` and `new` the two sides, `q` narrows, `pick` opens one row's samples."""
    project = project_get(request=request, slug=slug)
    way = request.GET.get("by", "build")
    if way not in WAYS:
        raise NotFoundError(f"{way!r} cannot be compared; {', '.join(WAYS)} can.")
    choices = choices_of(project=project, way=way)
    base, new = _sides(request, choices)
    text = request.GET.get("q", "").strip()[:200]
    problem, found = "", None
    if base and new:
        try:
            found = sides_read(project=project, way=way, base=base, new=new, text=text)
        except NotFoundError as error:
            problem = str(error)
    context = {
        "project": project,
        "tab": "compare",
        "ways": list(WAYS),
        "way": way,
        "choices": choices,
        "base": base,
        "new": new,
        "text": text,
        "problem": problem,
        "found": found,
        "diff": diff_url(project.repo, base, new) if way == "build" else "",
        **(_shown(request, project, found) if found else {}),
    }
    return page_render(request, "dashboards/compare.html", context, tables=lambda: _tables(found))


def _sides(request: HttpRequest, choices: list[Choice]) -> tuple[str, str]:
    """What the address asks for; else the two newest builds, or the first two values."""
    offered = [choice.value for choice in choices]
    default = (offered[1], offered[0]) if len(offered) > 1 else ("", "")
    base, new = request.GET.get("base", "").strip(), request.GET.get("new", "").strip()
    return base or default[0], new or default[1]


def _shown(request: HttpRequest, project: Project, found: Comparison) -> dict[str, Any]:
    told = verdicts_told(pairs=found.pairs)
    differences = differences_read(pairs=found.pairs)
    unlike: dict[tuple[int | None, int | None], str] = {}
    unlike |= {row.between: facts_label(row.changed) for row in differences}
    room, groups = _ROWS_MOST, []
    for group in found.groups:
        rows = [
            (pair, told.get(pair.new.series_id, ""), doubts_of(pair), unlike.get(pair.environments, ""))
            for pair in group.pairs[:room]
        ]
        groups.append((group, rows))
        room = max(0, room - len(rows))
    pick = number_of(request, "pick")
    picked = next((pair for pair in found.pairs if pair.new.series_id == pick), None)
    return {
        "groups": [(group, rows) for group, rows in groups if rows],
        "left": max(0, len(found.pairs) - _ROWS_MOST),
        "differences": differences,
        "picked": picked,
        "plot": _histogram(picked) if picked else None,
        "layers": _layers(picked) if picked else None,
    }


def _layers(pair: Pair) -> LayersShown | None:
    """What differs inside: of two builds of one case, where both left their engines' layers."""
    if pair.base.build_id == pair.new.build_id or {"runner", "precision", "device_class"} - pair.case.keys():
        return None
    builds = Build.objects.in_bulk([pair.base.build_id, pair.new.build_id])
    return layers_between(
        base=builds[pair.base.build_id],
        new=builds[pair.new.build_id],
        series=Series.objects.get(pk=pair.new.series_id),
        values=(pair.base.value, pair.new.value),
    )


def _histogram(pair: Pair) -> Any:
    rows = Series.objects.in_bulk([pair.base.series_id, pair.new.series_id])
    old, new = (
        samples_read(series=rows[side.series_id], build_id=side.build_id) for side in (pair.base, pair.new)
    )
    return histogram_pair(old, new, scale=scale_for(pair.metric, new))


def _tables(found: Comparison | None) -> list[Table]:
    """Every pair, values in the metric's own unit, changes as parts of one."""
    pairs = found.pairs if found else ()
    names = tuple(pairs[0].case) if pairs else ("model", "metric")
    columns = (*names, "base", "new", "relative", "relative_low", "relative_high", "kind")
    return [Table("comparison", columns, [row_values(pair) for pair in pairs])]
