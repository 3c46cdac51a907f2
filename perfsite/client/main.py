"""`perfsite`: the command line for pipelines and people."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perfsite.client.commands import compare, incidents, mute, push, schedules, trends, wait
from perfsite.client.measured import FormatError
from perfsite.client.output import complain
from perfsite.client.repository import RepositoryError
from perfsite.client.site import SiteClient, SiteError

FAILED = 2
_INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """One command: its arguments, what it does, and whether it needs a project."""

    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, SiteClient], int]
    what: str
    project: bool = True


COMMANDS: dict[str, Command] = {
    "push": Command(push.add, push.run, "send results that were measured elsewhere"),
    "wait": Command(
        wait.add,
        wait.run,
        "wait for a build's verdict: 0 nothing worse, 1 regressed, 2 not known or too late",
    ),
    "compare": Command(compare.add, compare.run, "two builds side by side: 1 when the newer one regressed"),
    "trends": Command(trends.add, trends.run, "the points of series, to CSV or Parquet"),
    "incidents": Command(incidents.add, incidents.run, "the incidents, the newest first", project=False),
    "mute": Command(mute.add, mute.run, "mute an incident's series for some days, or list the mutes"),
    "schedules": Command(schedules.add, schedules.run, "the schedules, or begin one now"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is the command's own, or 2 with a sentence on standard error."""
    options = parser_make().parse_args(arguments)
    command = COMMANDS[options.command]
    if not options.site:
        complain("which site? give --site or set PERFSITE_SITE, such as https://perf.example.org")
        return FAILED
    if command.project and not options.project:
        complain("which project? give --project or set PERFSITE_PROJECT: its name in its pages' addresses")
        return FAILED
    options.site = options.site.rstrip("/")
    try:
        with SiteClient(options.site, options.token.strip()) as site:
            return command.run(options, site)
    except (SiteError, FormatError, RepositoryError) as error:
        complain(str(error))
        return FAILED
    except BrokenPipeError:  # `perfsite trends | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        return FAILED
    except Exception:  # Python's own status for it is 1, which a pipeline reads as "regressed"
        traceback.print_exc()
        complain(f"{options.command} failed: a mistake of this program, or {options.site} is no Perfsite")
        return FAILED


def parser_make() -> argparse.ArgumentParser:
    """The parser of `perfsite`."""
    parser = argparse.ArgumentParser(prog="perfsite", description="A Perfsite from the command line.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.what, description=command.what)
        where = one.add_argument_group("where")
        where.add_argument(
            "--site", default=os.environ.get("PERFSITE_SITE", ""), help="default: PERFSITE_SITE"
        )
        where.add_argument(
            "--token",
            default=os.environ.get("PERFSITE_TOKEN", ""),
            help="default: PERFSITE_TOKEN, which logs do not show",
        )
        where.add_argument(
            "--project", default=os.environ.get("PERFSITE_PROJECT", ""), help="default: PERFSITE_PROJECT"
        )
        one.add_argument("--json", action="store_true", help="JSON alone on standard output")
        command.add(one)
    return parser
