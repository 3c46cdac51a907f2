"""`compare`: two builds side by side."""

from __future__ import annotations

import argparse
from typing import Any

from perfsite.client.commands.builds import build_get
from perfsite.client.output import console_out, print_json, table_make
from perfsite.client.site import SiteClient


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("base", help="a commit, or a build's number")
    parser.add_argument("new", help="the same of the newer one")
    parser.add_argument("--all", action="store_true", help="what did not change, too")


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """1 when the service found the newer one regressed in what both have, else 0."""
    base, new = (build_get(site, options.project, text)["id"] for text in (options.base, options.new))
    told = site.get(f"/projects/{options.project}/compare", base=base, new=new)
    if options.json:
        print_json(told)
    else:
        _show(told, everything=options.all)
    return int(any(row["verdict"] == "regressed" for row in told["rows"]))


def _show(told: dict[str, Any], *, everything: bool) -> None:
    console = console_out()
    counts = (
        ", ".join(f"{count} {kind}" for kind, count in sorted(told["counts"].items())) or "nothing in common"
    )
    ratio = f"; geometric mean {told['ratio']:.4f} (more than 1 is worse)" if told["ratio"] else ""
    console.print(f"{told['base_sha'][:7]} -> {told['new_sha'][:7]}: {counts}{ratio}", markup=False)
    rows = [
        row for row in told["rows"] if everything or row["change"] in ("worse", "better") or row["verdict"]
    ]
    if not rows:
        return
    table = table_make(
        "case", "metric", "base", "new", "change", "", "verdict", right=("base", "new", "change")
    )
    for row in rows:
        series = row["series"]
        case = "/".join(
            part for part in (series["model"], series["runner"], series["precision"], series["shape"]) if part
        )
        relative = "" if row["relative"] is None else f"{100 * row['relative']:+.2f} %"
        values = (f"{row[side]['value']:.6g}" for side in ("base", "new"))
        table.add_row(case, series["metric"], *values, relative, row["change"], row["verdict"])
    console.print(table, markup=False)
