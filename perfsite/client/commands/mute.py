"""`mute`: let nobody hear of an incident's series for some days, or list what is muted."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from perfsite.client.output import console_out, print_json, table_make
from perfsite.client.site import SiteClient, SiteError


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("incident", nargs="?", type=int, help="its number; without one the mutes are listed")
    parser.add_argument("--days", type=float, default=14.0, metavar="N", help="from now; default 14")
    parser.add_argument("--reason", default="", help="why; shown where the series is")


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """0 when it is muted, or listed."""
    if options.incident is None:
        return _list(options, site)
    if not options.reason.strip():
        raise SiteError("a mute needs --reason; it is shown where the series is")
    if not 0 < options.days <= 366:
        raise SiteError(f"--days is {options.days:g}; a mute ends within the next 366 days")
    until = datetime.now(UTC) + timedelta(days=options.days)
    body = {"until": until.isoformat(), "reason": options.reason}
    told = site.post(f"/incidents/{options.incident}/mute", body)
    if options.json:
        print_json({**told, "until": until.isoformat()})
    else:
        console_out().print(f"{told['series']} series muted until {until:%Y-%m-%d %H:%M} UTC", markup=False)
    return 0


def _list(options: argparse.Namespace, site: SiteClient) -> int:
    found = list(site.every(f"/projects/{options.project}/mutes", limit=100))
    if options.json:
        print_json(found)
        return 0
    table = table_make("id", "series", "until", "by", "reason")
    for row in found:
        table.add_row(str(row["id"]), row["series"], row["until"][:16], row["actor"], row["reason"])
    console_out().print(table if found else "nothing is muted", markup=False)
    return 0
