"""What the children of the tests do: entries the zygote calls instead of measuring."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def _tell(events: int, event: dict) -> None:
    os.write(events, json.dumps(event).encode() + b"\n")


def tell_done(folder: Path, events: int) -> int:
    _tell(events, {"done": True, "pid": os.getpid()})
    return 0


def tell_surroundings(folder: Path, events: int) -> int:
    """Everything this process can see of where it came from."""
    _tell(
        events,
        {
            "done": True,
            "environ": dict(os.environ),
            "own_environ": Path("/proc/self/environ").read_text(),
            "zygote_environ": Path(f"/proc/{os.getppid()}/environ").read_text(),
            "zygote_arguments": Path(f"/proc/{os.getppid()}/cmdline").read_text(),
            "descriptors": {
                fd.name: str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()
            },
            "folder": str(Path.cwd()),
            "cores": sorted(os.sched_getaffinity(0)),
            "leads_session": os.getsid(0) == os.getpid() == os.getpgid(0),
            "threads": len(list(Path("/proc/self/task").iterdir())),
        },
    )
    return 0


def sleep_long(folder: Path, events: int) -> int:
    _tell(events, {"stage": "sleeping", "fraction": 0.5, "message": ""})
    time.sleep(600)
    return 0


def eat_memory(folder: Path, events: int) -> int:
    """Half of it in this process and half in one it starts: the limit is on their sum."""
    code = "import time; held = b'x' * (150 << 20); print(len(held), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as helper:
        held = b"x" * (150 << 20)
        helper.stdout.readline()
        time.sleep(1)  # several looks at the memory
        _tell(events, {"stage": "full", "fraction": 0.5, "message": ""})
        time.sleep(60)
    return len(held)


def die_of(folder: Path, events: int) -> int:
    """End by the signal whose name is in the file `signal`."""
    print("about to die", flush=True)
    number = signal.Signals[(folder / "signal").read_text()]
    if number is signal.SIGSEGV:
        ctypes.string_at(0)
    os.kill(os.getpid(), number)
    return 0


def exit_at_once(folder: Path, events: int) -> int:
    os._exit(7)


def chatter(folder: Path, events: int) -> int:
    for line in range(200_000):
        print("line", line)
    print("the last line", file=sys.stderr)
    _tell(events, {"done": True})
    return 0


def leave_strays(folder: Path, events: int) -> int:
    """Start a daemon by the double fork, in a session of its own, and end."""
    code = "import os, time; os.setsid(); os.fork() and os._exit(0); "
    code += "open('stray', 'w').write(str(os.getpid())); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code])
    while not (folder / "stray").exists() or not (folder / "stray").read_text():
        time.sleep(0.01)
    _tell(events, {"done": True})
    return 0


def talk_rubbish(folder: Path, events: int) -> int:
    os.write(events, b"{not json\n[1, 2]\n")
    _tell(events, {"done": True})
    return 0


def stop_zygote(folder: Path, events: int) -> int:
    """What hostile code could do: keep the zygote from answering."""
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(600)
    return 0


def draw_random(folder: Path, events: int) -> int:
    import random

    import numpy

    _tell(events, {"done": True, "drawn": [random.random(), float(numpy.random.random())]})
    return 0


def try_to_escape(folder: Path, events: int) -> int:
    """What code that means harm would try; `wanted.json` in its folder says where."""
    wanted = json.loads((folder / "wanted.json").read_text())
    found = {"done": True, "read": {}, "wrote": [], "environs": "", "connected": False}
    for path in wanted["read"]:
        try:
            found["read"][path] = Path(path).read_text()
        except OSError as error:
            found["read"][path] = type(error).__name__
    for path in wanted["write"]:
        try:
            Path(path).write_text("was here")
            found["wrote"].append(path)
        except OSError:
            continue
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            found["environs"] += environ.read_text(errors="replace")
        except OSError:
            continue
    try:
        socket.create_connection(("127.0.0.1", wanted["port"]), timeout=2).close()
        found["connected"] = True
    except OSError:
        found["connected"] = False
    _tell(events, found)
    return 0
