"""`schedules`: what is measured by the clock, and one begun now."""

from __future__ import annotations

import argparse
from typing import Any

from perfsite.client.output import console_out, print_json, table_make
from perfsite.client.site import SiteClient, SiteError


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--begin", metavar="NAME", help="begin this one now")


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """0 when they are listed, or the one is begun."""
    found: list[dict[str, Any]] = list(site.every(f"/projects/{options.project}/schedules"))
    if options.begin is None:
        _show(options, found)
        return 0
    wanted = next((row for row in found if row["name"] == options.begin), None)
    if wanted is None:
        known = ", ".join(row["name"] for row in found) or "none"
        raise SiteError(f"{options.project} has no schedule {options.begin!r}; it has {known}")
    turn = site.post(f"/projects/{options.project}/schedules/{wanted['id']}/begin", {})
    if options.json:
        print_json(turn)
    else:
        console_out().print(f"{wanted['name']} has begun: its first jobs are queued within seconds")
    return 0


def _show(options: argparse.Namespace, found: list[dict[str, Any]]) -> None:
    if options.json:
        print_json(found)
        return
    table = table_make("name", "what", "when", "next", "minutes a day", right=("minutes a day",))
    for row in found:
        when = f"{', '.join(row['days'])} at {row['at'][:5]} {row['time_zone']}"
        due = f"{row['due_at'][:16]} UTC" if row["is_active"] else "paused"
        minutes = f"{row['minutes_spent']:.0f} of {row['minutes_per_day']:.0f}"
        table.add_row(row["name"], row["what"], when, due, minutes)
    console_out().print(table if found else "no schedules", markup=False)
