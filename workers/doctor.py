"""`python -m workers doctor`: what this box lacks to measure for the site, each with how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from workers.device import lock_folder
from workers.messages import PROTOCOL
from workers.nvml import gpu_list
from workers.options import Options, options_read
from workers.sandbox import sandbox_try
from workers.station import ROOM_BYTES

Word = Literal["ok", "warn", "fail"]
_TIMEOUT_S = 15.0
_SKEW_MOST_S = 30.0
_QUICK = ("work folder", "room", "site")


@dataclass(frozen=True)
class Finding:
    """What a check found; `mend` says what to do unless it is `ok`."""

    word: Word
    told: str
    mend: str = ""


def main(arguments: Sequence[str]) -> int:
    """Print a line per check; the status is 1 when one failed.

    With `--quick` only those of the box itself and the site: what a container's health check asks.
    """
    quick = "--quick" in arguments
    rest = [word for word in arguments if word != "--quick"]
    options = options_read(rest, {"PERFSITE_SITE": "http://", "PERFSITE_TOKEN": "-", **os.environ})
    failed = 0
    for name, check in CHECKS.items():
        if quick and name not in _QUICK:
            continue
        found = check(options)
        failed += found.word == "fail"
        sys.stdout.write(f"{found.word:4}  {name:12}  {found.told}\n")
        if found.mend:
            sys.stdout.write(f"                    -> {found.mend}\n")
    return 1 if failed else 0


def _driver(options: Options) -> Finding:
    gpus = gpu_list()
    if gpus:
        shown = "; ".join(f"cuda:{gpu.index} {gpu.name} {gpu.uuid} (driver {gpu.driver})" for gpu in gpus)
        return Finding("ok", shown)
    if options.device in ("auto", "cpu"):
        mend = "" if options.device == "cpu" else "install NVIDIA's driver, or say --device cpu"
        return Finding("ok" if options.device == "cpu" else "warn", "no NVIDIA GPU is seen", mend)
    mend = "install NVIDIA's driver; in a container run it with --gpus and the NVIDIA container toolkit"
    return Finding("fail", f"no NVIDIA GPU is seen, and {options.device} is wanted", mend)


def _library(name: str, package: str, extra: str) -> Callable[[Options], Finding]:
    """A check that a package is installed; nothing is imported, which would take seconds and a GPU."""

    def check(options: Options) -> Finding:
        try:
            return Finding("ok", f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            needed = options.device != "cpu" and bool(gpu_list())
            word: Word = "fail" if needed or name == "PyTorch" else "warn"
            return Finding(word, f"{package} is not installed", f"pip install 'perfsite[{extra}]'")

    return check


def _work(options: Options) -> Finding:
    probe = options.work / ".doctor"
    try:
        options.work.mkdir(parents=True, exist_ok=True)
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        return Finding("fail", f"{options.work}: {error}", "give --work a folder this user may write to")
    return Finding("ok", str(options.work))


def _room(options: Options) -> Finding:
    place = options.work if options.work.exists() else options.work.anchor
    free = shutil.disk_usage(place).free
    if free < ROOM_BYTES:
        return Finding("fail", f"{free / 2**20:.0f} MiB free", "free some: below 64 MiB it claims nothing")
    return Finding("ok", f"{free / 2**30:.1f} GiB free")


def _locks(options: Options) -> Finding:
    folder = options.locks or lock_folder()
    if not os.access(folder, os.W_OK):
        return Finding("fail", f"{folder} cannot be written", "give --locks a folder all workers here share")
    return Finding("ok", str(folder))


def _git(options: Options) -> Finding:
    found = shutil.which("git")
    return Finding("ok", found) if found else Finding("fail", "git is not installed", "apt-get install git")


def _cores(options: Options) -> Finding:
    count = len(os.sched_getaffinity(0))
    if count < 2:
        return Finding("warn", "one processor", "give it two: one measures, one keeps house")
    return Finding("ok", f"{count} processors")


def _user(options: Options) -> Finding:
    if os.geteuid() == 0:
        mend = "run it as a user of its own: as root, watched code can read the worker's token"
        return Finding("warn", "this is root", mend)
    return Finding("ok", f"user {os.geteuid()}")


def _sandbox(options: Options) -> Finding:
    if not options.sandbox:
        return Finding("ok", "not asked for: watched code sees the network and this user's files")
    if why := sandbox_try():
        return Finding("fail", why, "allow user namespaces here, or leave --sandbox away")
    network = "with" if options.sandbox_network else "without"
    return Finding("ok", f"watched code runs under bubblewrap, {network} network")


def _clock(options: Options) -> Finding:
    """Signed URLs and TLS want a clock that is right; what the site stores has its own."""
    try:
        answer = httpx.get(f"{options.site.rstrip('/')}/healthz", timeout=_TIMEOUT_S)
        told = parsedate_to_datetime(answer.headers["Date"])
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError):
        return Finding(
            "warn", "not compared: the site does not tell its time", "mend the site's address first"
        )
    skew = (datetime.now(UTC) - told).total_seconds()
    word: Word = "warn" if abs(skew) > _SKEW_MOST_S else "ok"
    side = "before" if skew > 0 else "behind"
    mend = "start a time service here: systemctl enable --now systemd-timesyncd" if word == "warn" else ""
    return Finding(word, f"{abs(skew):.0f} s {side} the site's", mend)


def _site(options: Options) -> Finding:
    try:
        answer = httpx.get(f"{options.site.rstrip('/')}/healthz", timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        told = f"{options.site or 'no site'}: {type(error).__name__}: {error}"
        return Finding("fail", told, "check --site (PERFSITE_SITE), the network and the firewall")
    if answer.status_code != 200:
        return Finding("fail", f"{options.site} answers {answer.status_code}", "ask who runs the site")
    return Finding("ok", options.site)


def _token(options: Options) -> Finding:
    """A hello of protocol 0 is refused in every case: by 401 or 403 for the token, else for the protocol."""
    device = {"device_class": "doctor", "name": "doctor", "uuid": "doctor"}
    body = {"protocol": 0, "worker": "doctor", "device": device}
    headers = {"Authorization": f"Bearer {options.token}"}
    url = f"{options.site.rstrip('/')}/api/v1/worker/hello"
    try:
        answer = httpx.post(url, json=body, headers=headers, timeout=_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Finding("fail", "not asked: the site does not answer", "mend the site's address first")
    if answer.status_code == 429:
        wait = answer.headers.get("Retry-After", "60")
        return Finding("warn", "the site answers 429: too many requests from here", f"try again in {wait} s")
    if answer.status_code >= 500:
        told = f"the site answers {answer.status_code}: it cannot serve now, which says nothing of the token"
        return Finding("fail", told, "look at the site's /readyz and its log")
    if answer.status_code in (401, 403):
        return Finding("fail", "the site refuses the token", "manage.py token add NAME --purpose worker")
    if f"protocol {PROTOCOL}" in answer.text:
        return Finding("ok", f"the token is taken; site and worker speak protocol {PROTOCOL}")
    mend = "install the same version of perfsite on both"
    return Finding("fail", f"another version of the site: {answer.text[:200]}", mend)


CHECKS: dict[str, Callable[[Options], Finding]] = {
    "GPU": _driver,
    "PyTorch": _library("PyTorch", "torch", "cpu"),
    "TensorRT": _library("TensorRT", "tensorrt", "gpu"),
    "NVML": _library("NVML", "nvidia-ml-py", "gpu"),
    "git": _git,
    "processors": _cores,
    "user": _user,
    "work folder": _work,
    "room": _room,
    "locks": _locks,
    "sandbox": _sandbox,
    "site": _site,
    "clock": _clock,
    "token": _token,
}
"""The checks, in the order in which they are told."""
