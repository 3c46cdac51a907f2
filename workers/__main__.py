"""The worker's command: `python -m workers --site URL --token T`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import structlog

from benchmarks.environment import environment_read
from workers import doctor
from workers.client import Refused, Rejected, SiteClient
from workers.device import Bench, DeviceError, device_leased
from workers.folders import Folders
from workers.logs import logs_configure
from workers.messages import FACT_LONGEST, Hello, queue_name
from workers.nursery import PRELOAD, Nursery
from workers.nvml import GpuLostError
from workers.options import Options, options_read, worker_name
from workers.process import hide_from_peers
from workers.sandbox import SandboxError, sandbox_try
from workers.station import Station
from workers.tasks import wakeups_consume

log = structlog.get_logger(__name__)

CANNOT_WORK = 3


def main() -> int:
    """Run a worker until SIGTERM or SIGINT; the exit status is 3 when it cannot work."""
    if sys.argv[1:2] == ["doctor"]:
        return doctor.main(sys.argv[2:])
    options = options_read(sys.argv[1:], os.environ)
    logs_configure(options.log_format)
    hide_from_peers()
    try:
        with device_leased(
            options.device, work=options.work, locks=options.locks, price_per_hour=options.price_per_hour
        ) as bench:
            _serve(options, bench)
    except (DeviceError, GpuLostError, Refused, Rejected, SandboxError) as error:
        return _cannot_work(options, str(error))
    except OSError as error:  # a full disk, a folder of another user
        return _cannot_work(options, f"{options.work} cannot be used: {error}")
    return 0


def _cannot_work(options: Options, why: str) -> int:
    """Say why, in the form of the log; the exit status."""
    if options.log_format == "json":
        log.error("the worker cannot work", reason=why)
    else:
        sys.stderr.write(f"perfsite worker: {why}\n")
    return CANNOT_WORK


def _serve(options: Options, bench: Bench) -> None:
    """Say hello, then work until a signal comes; the device is leased all the while."""
    if bench.gpu is None:
        os.sched_setaffinity(0, bench.house_cores)  # the worker itself must not disturb what it measures
    name = worker_name(options, bench.device.device_class, bench.device.uuid)
    logs_configure(options.log_format, worker=name)
    folders = Folders.under(options.work, name)
    nursery = Nursery(
        home=folders.zygote,
        cores=bench.cores,
        visible_gpu=bench.gpu.uuid if bench.gpu else None,
        preload=PRELOAD if options.preload else (),
        sandbox=_sandbox(options, folders),
    )
    with SiteClient(options.site, options.token) as client, nursery:
        station = Station(
            name=name,
            client=client,
            bench=bench,
            nursery=nursery,
            folders=folders,
            fetch=options.fetch,
            poll_s=options.poll_s,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: station.stop())
        hello = Hello(worker=name, device=bench.device, facts=_facts(bench))
        with ThreadPoolExecutor(1, thread_name_prefix="station") as pool:
            # not in this thread: a signal's handler must find the station's locks free in the end
            if pool.submit(station.introduce, hello).result():
                _announce_when_ready(station, options, bench, name)
                pool.submit(station.run, hello).result()


def _sandbox(options: Options, folders: Folders) -> tuple[str, ...]:
    """What confines watched code; refused at the start rather than at the first job."""
    if not options.sandbox:
        return ()
    if why := sandbox_try():
        raise SandboxError(f"--sandbox is asked for, and this machine cannot: {why}")
    return folders.sandbox(options.work, network=options.sandbox_network)


def _announce_when_ready(station: Station, options: Options, bench: Bench, name: str) -> None:
    """Start consuming wake-ups; `ready ...` on standard output tells a supervisor that it does."""
    queue = queue_name(bench.device.device_class)

    def announce() -> None:
        sys.stdout.write(f"ready {name} on {bench.device.name} ({bench.device.uuid}), queue {queue}\n")
        sys.stdout.flush()

    if options.broker is None:
        announce()
        return
    threading.Thread(
        target=wakeups_consume,
        kwargs={
            "broker": options.broker,
            "queue": queue,
            "worker": name,
            "on_wake": station.wake,
            "on_ready": announce,
        },
        name="wake-ups",
        daemon=True,  # it may be waiting for a broker that is away when the worker ends
    ).start()


def _facts(bench: Bench) -> dict[str, str | int | float | bool | None]:
    """What the site shows about this worker: the machine, the toolchain, the cores."""
    facts = dict(environment_read("cuda" if bench.gpu else "cpu").facts)
    if bench.price_per_hour is not None:
        facts["price_per_hour"] = bench.price_per_hour
    facts["bench_cores"] = ",".join(map(str, bench.cores))
    if (gpu := bench.gpu) is not None:
        facts |= {
            "gpu_name": gpu.name,
            "gpu_uuid": gpu.uuid,
            "gpu_driver": gpu.driver,
            "gpu_memory_bytes": gpu.memory_bytes,
        }
    # the environment may be long, and the site refuses a fact that is
    return {name: fact[:FACT_LONGEST] if isinstance(fact, str) else fact for name, fact in facts.items()}


if __name__ == "__main__":
    sys.exit(main())
