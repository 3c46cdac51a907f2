"""Reading settings from the environment, with a sentence when one is wrong."""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def env_flag(name: str, *, default: bool) -> bool:
    """The variable as a yes or no.

    Raises:
        ImproperlyConfigured: it is set to something else.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ImproperlyConfigured(f"{name}={text!r} is neither yes nor no; set it to 1 or 0")


def env_int(name: str, *, default: int) -> int:
    """The variable as a whole number.

    Raises:
        ImproperlyConfigured: it is set to something else.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is not a whole number") from None


def env_choice(name: str, *, default: str, known: Sequence[str]) -> str:
    """The variable as one of the words `known`.

    Raises:
        ImproperlyConfigured: it is none of them.
    """
    text = os.environ.get(name, default)
    if text not in known:
        raise ImproperlyConfigured(f"{name}={text!r} is none of {', '.join(filter(None, known))}")
    return text


def env_list(name: str, *, default: list[str]) -> list[str]:
    """The variable as a list, separated by commas."""
    text = os.environ.get(name)
    return default if text is None else [part.strip() for part in text.split(",") if part.strip()]


def env_networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The variable as networks in CIDR notation, separated by commas; none when it is not set.

    Raises:
        ImproperlyConfigured: a part is no network.
    """
    try:
        return [ipaddress.ip_network(part) for part in env_list(name, default=[])]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}: {error}; write networks as 10.1.0.0/16, separated by commas"
        ) from None


def data_folder() -> Path:
    """Where the embedded home keeps everything: `PERFSITE_DATA`, else in the user's data directory."""
    chosen = os.environ.get("PERFSITE_DATA")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "perfsite"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "perfsite"


def secret_key(folder: Path) -> str:
    """`PERFSITE_SECRET_KEY`, else a key made once in the data folder, readable by its owner only."""
    given = os.environ.get("PERFSITE_SECRET_KEY")
    if given:
        return given
    path = folder / "secret-key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # whole or not at all: another process that starts now must never read half a key
    with tempfile.NamedTemporaryFile("w", dir=folder) as file:  # readable by its owner only
        file.write(os.urandom(32).hex())
        file.flush()
        with suppress(FileExistsError):  # another process was first: its key is the one
            os.link(file.name, path)
    return path.read_text().strip()


def site_url(folder: Path) -> str:
    """`PERFSITE_URL`, else where the embedded home of this folder answered last, else the default."""
    given = os.environ.get("PERFSITE_URL")
    if not given and (folder / "site-url").exists():
        given = (folder / "site-url").read_text().strip()
    return (given or "http://127.0.0.1:8000").rstrip("/")
