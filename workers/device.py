"""The device a worker measures on: found, leased to this process alone, and given its cores."""

from __future__ import annotations

import fcntl
import os
import platform
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from workers.messages import Device, device_class_slug
from workers.nvml import Gpu, gpu_list

CPU_CLASS = "cpu"


class DeviceError(Exception):
    """There is no such device, or another worker holds it; the message says which and what to do."""


@dataclass(frozen=True)
class Bench:
    """A leased device with the cores its child processes run on and those left to the worker.

    `price_per_hour` is what the device costs, in any currency; None when the operator did not say.
    """

    device: Device
    gpu: Gpu | None
    cores: tuple[int, ...]
    house_cores: tuple[int, ...]
    price_per_hour: float | None = None


@contextmanager
def device_leased(
    wanted: str, *, work: Path, locks: Path | None = None, price_per_hour: float | None = None
) -> Iterator[Bench]:
    """Lease the device `wanted`: `auto`, `cpu`, `cuda:N` or a GPU's UUID.

    `auto` takes the first GPU no other worker holds, and the processor when there is no GPU.  The
    lease is a lock on a file named by the device's UUID; the kernel frees it when the process ends.

    Raises:
        DeviceError: no such device, or every one that would do is held by another worker.
    """
    folder = locks or lock_folder()
    candidates = _candidates(wanted, gpu_list(), work)
    holders = []
    for bench in candidates:
        descriptor = _lock_open(folder / f"perfsite-{bench.device.uuid}.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holders.append(_holder(descriptor, bench))
            os.close(descriptor)
            continue
        try:
            _sign(descriptor)
            yield replace(bench, price_per_hour=price_per_hour)
        finally:
            os.close(descriptor)
        return
    raise DeviceError(f"{'; '.join(holders)}. Stop that worker, or name another device with --device.")


def _candidates(wanted: str, gpus: list[Gpu], work: Path) -> list[Bench]:
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return [_cpu_bench(work)]
    if wanted == "auto":
        return [_gpu_bench(gpu) for gpu in gpus]
    found = [gpu for gpu in gpus if wanted in (f"cuda:{gpu.index}", gpu.uuid)]
    if not found:
        known = ", ".join(f"cuda:{gpu.index} ({gpu.name}, {gpu.uuid})" for gpu in gpus) or "no GPU"
        raise DeviceError(
            f"no device {wanted!r} here; NVML sees {known}. Use --device auto, cpu, or one of these."
        )
    return [_gpu_bench(gpu) for gpu in found]


def _cpu_bench(work: Path) -> Bench:
    device = Device(device_class=CPU_CLASS, name=_cpu_name()[:200], uuid=f"cpu-{_machine_id(work)}")
    house, cores = split_cores(sorted(os.sched_getaffinity(0)))
    return Bench(device, None, cores, house)


def _gpu_bench(gpu: Gpu) -> Bench:
    device = Device(device_class=device_class_slug(gpu.name), name=gpu.name[:200], uuid=gpu.uuid)
    allowed = os.sched_getaffinity(0)
    near = sorted(allowed & set(gpu.cores)) or sorted(allowed)
    house, cores = split_cores(near)
    return Bench(device, gpu, cores, house)


def split_cores(cores: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores for the house (worker, site, system: the first one) and for measuring (the others).

    A single core has to do for both.
    """
    if len(cores) < 2:
        return tuple(cores), tuple(cores)
    return tuple(cores[:1]), tuple(cores[1:])


def _cpu_name() -> str:
    """The processor's marketing name, for example `Intel(R) Xeon(R) Processor @ 2.60GHz`."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _machine_id(work: Path) -> str:
    """The machine's id; one made once and kept in the work folder where the system has none."""
    system = Path("/etc/machine-id")
    if system.exists() and (known := system.read_text(encoding="ascii").strip()):
        return known
    own = work / "machine-id"
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(uuid.uuid4().hex, encoding="ascii")
    return own.read_text(encoding="ascii").strip()


def lock_folder() -> Path:
    """A folder every worker of this machine shares."""
    shared = Path("/run/lock")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def _lock_open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another user's: it can be locked all the same


def _holder(descriptor: int, bench: Bench) -> str:
    pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    return f"{bench.device.name} ({bench.device.uuid}) is held by the worker with process id {pid}"


def _sign(descriptor: int) -> None:
    """Leave this process's id in the lock file for whoever is refused."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
