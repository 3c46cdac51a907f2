"""GPUs side by side for one case, and how many of which meet a bound."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from perfsite.dashboards.charts.capacity import Answer, capacity_answers
from perfsite.dashboards.selectors.access import project_get
from perfsite.dashboards.selectors.hardware import (
    FACETS,
    fitness_rows,
    hardware_choices,
    hardware_rows,
    loads_read,
)
from perfsite.dashboards.views.reading import page
from perfsite.dashboards.views.twins import Table, page_render


@require_safe
@page
def hardware(request: HttpRequest, slug: str) -> HttpResponse:
    """`model`, `runner`, `precision` and `shape` name the case; `p99` (ms) and `qps` ask for GPUs needed."""
    project = project_get(request=request, slug=slug)
    choices = hardware_choices(project=project)
    picked = {name: request.GET.get(name, "") for name in choices}
    picked = {
        name: picked[name] if picked[name] in values else (values[0] if values else "")
        for name, values in choices.items()
    }
    chosen = {name: picked[name] for name in FACETS}
    columns, rows = hardware_rows(project=project, chosen=chosen, shape=picked["shape"])
    loads = loads_read(project=project, chosen=chosen, shape=picked["shape"])
    p99, qps, problem = _asked(request)
    answers = capacity_answers(loads, bound_s=p99 / 1e3, qps=qps) if p99 and qps else []
    context = {
        "project": project,
        "tab": "hardware",
        "facets": [(name, values, picked[name]) for name, values in choices.items()],
        "picked": picked,
        "columns": columns,
        "rows": rows,
        "loads": sorted(loads, key=lambda load: (load.device_class, load.qps)),
        "p99": request.GET.get("p99", ""),
        "qps": request.GET.get("qps", ""),
        "problem": problem,
        "answers": answers,
        "fitness": fitness_rows() if request.user.is_authenticated else [],
    }

    def tables() -> list[Table]:
        cells = [(row.device_class, *(cell[1] if cell else None for cell in row.cells)) for row in rows]
        return [Table("hardware", ("device_class", *columns), cells), _answers_table(answers)]

    return page_render(request, "dashboards/hardware.html", context, tables=tables)


def _asked(request: HttpRequest) -> tuple[float, float, str]:
    """The bound in milliseconds, the rate, and what is wrong with them; zeros when nothing is asked."""
    texts = [request.GET.get(name, "").strip() for name in ("p99", "qps")]
    if not any(texts):
        return 0.0, 0.0, ""
    try:
        p99, qps = (float(text) for text in texts)
    except ValueError:
        return 0.0, 0.0, "Both the bound (in milliseconds) and the rate (requests a second) must be numbers."
    if not (0 < p99 < float("inf") and 0 < qps < float("inf")):
        return 0.0, 0.0, "Both the bound and the rate must be above zero."
    return p99, qps, ""


def _answers_table(answers: list[Answer]) -> Table:
    columns = ("device_class", "gpus", "qps_per_gpu", "p99_s", "received_at")
    cells = [(row.device_class, row.count, row.qps, row.p99_s, row.received_at) for row in answers]
    return Table("needed", columns, cells)
