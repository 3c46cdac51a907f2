"""`push`: send results that were measured elsewhere."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perfsite.client.formats import FORMATS
from perfsite.client.measured import FormatError, Reading
from perfsite.client.output import console_out, print_json, progress
from perfsite.client.repository import branch_read, commit_read
from perfsite.client.site import SiteClient


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="results; - is standard input")
    formats = "; ".join(f"{name}: {row.what}" for name, row in FORMATS.items())
    parser.add_argument("--format", required=True, choices=list(FORMATS), help=formats)
    parser.add_argument(
        "--device", required=True, metavar="CLASS", help="where it was measured, such as ci-a10"
    )
    parser.add_argument("--name", default="", help="the model, where the format does not tell it")
    parser.add_argument("--sha", help="the commit; default: the file's own, else the one checked out here")
    parser.add_argument("--branch", help="default: the one checked out, else the project's")
    parser.add_argument("--ordinal", type=int, help="the commit's place; default: counted by git")


def run(options: argparse.Namespace, site: SiteClient) -> int:
    """Read every file first, then send; 0 when all was taken."""
    readings = [_read(name, options) for name in options.files]
    commits = [_commit(options, reading.sha) for reading in readings]
    answers = []
    with progress("sending", total=len(readings)) as bar:
        for commit, reading in zip(commits, readings, strict=True):
            body = {**commit, "device_class": options.device, **reading.body()}
            answers.append(site.post(f"/projects/{options.project}/results", body))
            bar.step()
    if options.json:
        print_json(answers)
        return 0
    for name, answer in zip(options.files, answers, strict=True):
        words = f"{answer['points']} new points" if answer["stored"] else "known: sent before"
        more = f", {answer['known']} series had one already" if answer["stored"] and answer["known"] else ""
        console_out().print(f"{name}: {words}{more} (build {answer['build_id']})", markup=False)
    return 0


def _read(name: str, options: argparse.Namespace) -> Reading:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{name} cannot be read: {error}") from None
    try:
        reading = FORMATS[options.format].read(text, options.name)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    if not reading.rows:
        raise FormatError(f"{name} holds no measurement that can be sent")
    return reading


def _commit(options: argparse.Namespace, known: str) -> dict[str, Any]:
    """What is told of the commit: --sha, else the one the file tells, else the one checked out.

    With a whole --sha git is asked for nothing.
    """
    if options.sha and len(options.sha) in (40, 64):
        told: dict[str, Any] = {"sha": options.sha.lower(), "ordinal": options.ordinal}
        branch = options.branch or ""
    else:
        told = asdict(commit_read(options.sha or known or "HEAD"))
        branch = options.branch or branch_read()
        if options.ordinal is not None:
            told["ordinal"] = options.ordinal
    return {**told, "branch": branch}
