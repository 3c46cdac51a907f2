"""How a worker is told what to do: command line first, then environment."""

from __future__ import annotations

import argparse
import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.fetch_policy import FetchPolicy, policy_read
from workers.logs import FORMS


@dataclass(frozen=True)
class Options:
    """`name` is None until the device is known; `broker` None means polling only."""

    site: str
    token: str
    name: str | None
    device: str
    broker: str | None
    work: Path
    locks: Path | None
    poll_s: float
    preload: bool
    price_per_hour: float | None
    sandbox: bool
    sandbox_network: bool
    fetch: FetchPolicy
    log_format: str


def options_read(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Read the command line; what it does not say comes from the environment.

    Ends the process with a usage message (status 2) when something needed is missing.
    """
    parser = _parser_make(environment)
    given = parser.parse_args(arguments)
    for name in ("site", "token"):
        if not getattr(given, name):
            parser.error(f"--{name} is missing (or PERFSITE_{name.upper()} in the environment)")
    if not given.site.startswith(("http://", "https://")):
        parser.error(f"--site must start with http:// or https://, not {given.site!r}")
    try:
        fetch = policy_read(environment)
    except ValueError as error:
        parser.error(str(error))
    return Options(
        fetch=fetch,
        site=given.site,
        token=given.token,
        name=given.name,
        device=given.device,
        broker=given.broker or None,
        work=Path(given.work or _default_work(environment)).expanduser().resolve(),
        locks=Path(given.locks) if given.locks else None,
        poll_s=given.poll,
        preload=not given.no_preload,
        price_per_hour=given.price,
        sandbox=given.sandbox,
        sandbox_network=given.sandbox_network,
        log_format=given.log_format,
    )


def _parser_make(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """Every option, with its variable of the environment as the default."""
    parser = argparse.ArgumentParser(
        prog="python -m workers",
        description="A Perfsite worker: claims jobs of one device from the site, measures, reports.",
    )
    add = parser.add_argument
    add("--site", default=environment.get("PERFSITE_SITE"), help="address of the site [PERFSITE_SITE]")
    add(
        "--token",
        default=environment.get("PERFSITE_TOKEN"),
        help="the worker's token; better given as PERFSITE_TOKEN, a command line can be read by all",
    )
    add("--name", help="name of this worker (default: host and device)")
    add(
        "--device",
        default=environment.get("PERFSITE_DEVICE", "auto"),
        help="auto, cpu, cuda:N or a GPU's UUID [PERFSITE_DEVICE]",
    )
    add(
        "--broker",
        default=environment.get("REDIS_URL"),
        help="Redis address for wake-ups; without it the worker asks every 30 s [REDIS_URL]",
    )
    add(
        "--work",
        type=Path,
        default=environment.get("PERFSITE_WORK"),
        help="folder of mirrors, caches and unsent results [PERFSITE_WORK]",
    )
    add(
        "--locks",
        type=Path,
        default=environment.get("PERFSITE_LOCKS"),
        help="folder of the locks on devices, one for all workers of a machine [PERFSITE_LOCKS]",
    )
    add(
        "--poll",
        type=float,
        default=float(environment.get("PERFSITE_POLL", "30")),
        help="seconds between two questions for work without a wake-up [PERFSITE_POLL]",
    )
    add(
        "--no-preload",
        action="store_true",
        default=environment.get("PERFSITE_PRELOAD") == "0",
        help="start every child from a bare interpreter, 2 s slower each [PERFSITE_PRELOAD=0]",
    )
    add(
        "--log-format",
        default=environment.get("PERFSITE_LOG_FORMAT") or "line",
        type=_log_format,
        help="line, or json: one object a line with the ids of job, attempt and builds [PERFSITE_LOG_FORMAT]",
    )
    add(
        "--sandbox",
        action="store_true",
        default=environment.get("PERFSITE_SANDBOX") == "1",
        help="run watched code under bubblewrap, without network [PERFSITE_SANDBOX=1]",
    )
    add(
        "--sandbox-network",
        action="store_true",
        default=environment.get("PERFSITE_SANDBOX_NETWORK") == "1",
        help="leave it the network, for models that fetch their weights [PERFSITE_SANDBOX_NETWORK=1]",
    )
    add(
        "--price",
        type=_price,
        default=environment.get("PERFSITE_PRICE") or None,
        metavar="PER_HOUR",
        help="what the device costs an hour, in any currency: adds what things cost [PERFSITE_PRICE]",
    )
    return parser


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a price is a number above 0, not {text!r}")
    return value


def worker_name(options: Options, device_class: str, uuid: str) -> str:
    """The name given, or host, class and the start of the device's UUID."""
    short = uuid.removeprefix("GPU-").removeprefix("cpu-")[:8]
    return options.name or f"{socket.gethostname()}-{device_class}-{short}"[:100]


def _default_work(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(home) / "perfsite-worker"


def _log_format(told: str) -> str:
    if told not in FORMS:
        raise argparse.ArgumentTypeError(f"a log is in the form {' or '.join(FORMS)}, not {told!r}")
    return told
