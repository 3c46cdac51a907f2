"""The network between workers and site: a bridge, and a network namespace per worker's box."""

from __future__ import annotations

import os
import subprocess

HOST = "10.211.{subnet}.1"


def wires_possible() -> bool:
    """Whether this user may make network namespaces here."""
    try:
        done = subprocess.run(["ip", "netns", "add", f"psx{os.getpid()}"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    if done.returncode:
        return False
    _ip("netns", "del", f"psx{os.getpid()}")
    return True


class Wires:
    """A bridge with the site's address, and a wire to each box that can be cut."""

    def __init__(self) -> None:
        taken = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
        first = os.getpid() % 250
        free = (n % 250 for n in range(first, first + 250) if f"10.211.{n % 250}." not in taken)
        self._subnet = next(free)
        self.host = HOST.format(subnet=self._subnet)
        self._bridge = f"psb{self._subnet}"
        self._boxes: list[str] = []
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def box_add(self, number: int) -> list[str]:
        """A namespace for box `number`; returns the words that run a command inside it."""
        name, outer, inner = self._names(number)
        _ip("netns", "add", name)
        self._boxes.append(name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        _ip("link", "set", outer, "master", self._bridge, "up")
        for words in (
            ("addr", "add", f"10.211.{self._subnet}.{number + 10}/24", "dev", inner),
            ("link", "set", inner, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        return ["ip", "netns", "exec", name]

    def cut(self, number: int) -> None:
        """Nothing passes any more, and nobody is told."""
        _ip("link", "set", self._names(number)[1], "down")

    def mend(self, number: int) -> None:
        """Everything passes again."""
        _ip("link", "set", self._names(number)[1], "up")

    def close(self) -> None:
        """Remove all of it."""
        for name in self._boxes:
            _ip("netns", "del", name)
        _ip("link", "del", self._bridge)

    def _names(self, number: int) -> tuple[str, str, str]:
        return f"psn{self._subnet}-{number}", f"psv{self._subnet}o{number}", f"psv{self._subnet}i{number}"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
