"""`incidents`: what is untriaged, or in any other state."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

from perfsite.client.output import console_out, print_json, table_make
from perfsite.client.site import SiteClient


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--state", default="", help="only those, such as untriaged; default: all")
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="how many of the newest; default 50"
    )


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """0, however many there are."""
    path = f"/projects/{options.project}/incidents" if options.project else "/incidents"
    found = list(islice(site.every(path, state=options.state, limit=min(options.limit, 100)), options.limit))
    if options.json:
        print_json(found)
        return 0
    table = table_make("id", "project", "state", "commit", "opened", "worst")
    for row in found:
        table.add_row(
            str(row["id"]), row["project"], row["state"], row["sha"][:7], row["opened_at"][:16], _worst(row)
        )
    console_out().print(table if found else "no incidents", markup=False)
    return 0


def _worst(row: dict[str, Any]) -> str:
    told = row["regressions"]
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return f"{told[0]['sentence']}{more}" if told else row["withdrawn_reason"]
