"""`wait`: until a build has its verdict."""

from __future__ import annotations

import argparse
import time
from typing import Any

from perfsite.client.commands.builds import build_find
from perfsite.client.output import console_err, console_out, print_json, progress
from perfsite.client.site import AwayError, SiteClient, SiteError

STATUS = {"regressed": 1, "unknown": 2}
"""The exit status of each verdict; 0 for every other."""
_PAUSE_S = 5.0


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("build", help="a commit, or a build's number; a commit may still have to arrive")
    parser.add_argument("--branch", default="", help="of the commit, where several have it")
    parser.add_argument("--timeout", type=float, default=3600.0, metavar="SECONDS", help="default: an hour")


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """0 nothing is worse, 1 regressed, 2 not known: undecided, failed, or the time is over."""
    deadline = time.monotonic() + options.timeout
    told: dict[str, Any] | None = None
    with progress("waiting for the build") as bar:
        while True:
            told = _ask(options, site) or told
            if told and told["is_settled"]:
                break
            if time.monotonic() >= deadline:
                return _late(options, told)
            bar.say("; ".join(told["reasons"]) if told else "waiting for the build")
            time.sleep(min(_PAUSE_S, max(deadline - time.monotonic(), 0.0)))
    _show(options, told)
    return STATUS.get(told["verdict"], 0)


def _ask(options: argparse.Namespace, site: SiteClient) -> dict[str, Any] | None:
    """How the build stands; None when it is not there yet, or the site is away for the moment."""
    try:
        build = build_find(site, options.project, options.build, branch=options.branch)
        return None if build is None else site.get(f"/builds/{build['id']}/standing")
    except AwayError as error:
        console_err().print(f"{error}; asking again", markup=False)
        return None


def _late(options: argparse.Namespace, told: dict[str, Any] | None) -> int:
    if told is None:
        raise SiteError(
            f"{options.project} has no build {options.build}, or did not answer, within {options.timeout:g} s"
        )
    _show(options, told)
    return 2


def _show(options: argparse.Namespace, told: dict[str, Any]) -> None:
    if options.json:
        print_json(told)
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(told["counts"].items()))
    verdict = told["verdict"] or "not settled in time"
    console = console_out()
    console.print(f"{told['sha'][:7]}: {verdict}{f' ({counts})' if counts else ''}", markup=False)
    for reason in told["reasons"]:
        console.print(f"  {reason}", markup=False)
    if told["incident_id"]:
        console.print(
            f"  {options.site}/projects/{options.project}/incidents/{told['incident_id']}/", markup=False
        )
