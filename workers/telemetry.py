"""How the machine feels while a job runs: readings for the progress line, and who else uses the GPU."""

from __future__ import annotations

import psutil
import structlog

from benchmarks.report import Remark
from workers.child import resident_bytes
from workers.device import Bench
from workers.nursery import Nursery
from workers.nvml import GpuLostError, compute_processes, telemetry_read

log = structlog.get_logger(__name__)


class Telemetry:
    """Readings of one bench during one job; utilisation is since the reading before."""

    def __init__(self, bench: Bench, nursery: Nursery) -> None:
        self._bench = bench
        self._nursery = nursery
        self._foreign: set[int] = set()
        psutil.cpu_percent(percpu=True)  # the first reading only starts the interval

    def read(self) -> dict[str, float | None]:
        """Utilisation of the measuring cores (ratio), resident memory of the job (B), and the GPU's."""
        busy = psutil.cpu_percent(percpu=True)
        cores = [busy[core] for core in self._bench.cores if core < len(busy)]
        readings: dict[str, float | None] = {
            "cpu_utilisation": sum(cores) / len(cores) / 100 if cores else None,
            "host_memory": float(resident_bytes(self._nursery.family())),
        }
        if self._bench.gpu is not None:
            self._watch_gpu()
            readings |= telemetry_read(self._bench.device.uuid)
        return readings

    def remarks(self) -> tuple[Remark, ...]:
        """A doubt about every number of the job when a foreign process was seen on its GPU."""
        if not self._foreign:
            return ()
        sentence = (
            f"other processes computed on the GPU meanwhile ({', '.join(map(str, sorted(self._foreign)))}); "
            "keep them off a GPU that measures, and run this again"
        )
        return (Remark(code="foreign-process", sentence=sentence, unstable=True),)

    def _watch_gpu(self) -> None:
        try:
            seen = compute_processes(self._bench.device.uuid)
        except GpuLostError as error:
            log.warning("the GPU does not answer", reason=str(error))
            return
        seen -= {process.pid for process in self._nursery.family()}
        # in a container NVML may tell the host's numbers: one that is not known here is the job's own
        self._foreign |= {pid for pid in seen if psutil.pid_exists(pid)}
