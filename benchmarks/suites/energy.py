"""Suite `energy`: joules per sample at steady state, from the device's energy counter.

On a GPU it is the driver's own (NVML, the whole board), on a processor that of its packages (RAPL).
Polled power is no substitute: it read 9 % below the counter over 4 s.  The counter moves in steps of
20 to 100 ms, so only moments right after a step count, and the device never waits for the reading:
the next launches are enqueued before.

`energy_per_sample` holds all that the device took while it worked; `energy_per_sample_net` is less
what it takes while it idles with the model loaded (`idle_power`, measured before).
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.collector import collector_paused
from benchmarks.energy import Counter, Trace, Work, energy_trace, idle_power, ratio_bootstrap
from benchmarks.errors import CannotRun
from benchmarks.load import load_between, load_mark
from benchmarks.rapl import PackageEnergy
from benchmarks.stability import OTHERS_SHARE
from benchmarks.suites.base import Bench, Findings, runner_of
from benchmarks.suites.capturing import capture_try

IDLE_S = 1.0
SETTLE_S = 1.0  # after loading and after the last work
SHORTEST_S = 2.0
WARM_SHARE = 0.3
SUBWINDOWS = 10
FEWEST_STEPS = 10


def energy_measure(bench: Bench) -> Findings:
    """Joules per sample and samples per joule of the bound model, back to back."""
    findings = Findings(bench.case)
    runner = runner_of(bench)
    counter = _counter_of(bench)
    capture_try(runner, findings, "the GPU idles between kernels, which costs energy too")
    runner.infer()
    time.sleep(SETTLE_S)
    idle_w = idle_power(counter, IDLE_S)
    work = Work(runner, bench.gauge)
    window = max(SHORTEST_S, bench.case.duration_s)
    before = load_mark()
    with collector_paused():
        work.run(window * WARM_SHARE)
        trace = energy_trace(counter, work, window, FEWEST_STEPS)
    if bench.assets.device == "cpu":
        load = load_between(before, load_mark(), bench.assets.threads)
        if load is not None and load.others >= OTHERS_SHARE:
            findings.remark(
                "energy-shared",
                f"other processes used {load.others:.0%} of these cores, and their energy is counted too; "
                "stop them, and run this again",
                unstable=True,
            )
    _add(findings, trace, idle_w)
    return findings


def _counter_of(bench: Bench) -> Counter:
    """The device's energy counter in joules.

    Raises:
        CannotRun: there is none.
    """
    if bench.assets.device == "cpu":
        return PackageEnergy.open().joules
    if bench.gauge.energy_joules() is None:
        why = bench.gauge.missing.get("energy") or bench.gauge.missing.get("gpu") or "NVML is not open"
        raise CannotRun(
            f"this GPU tells no energy ({why}); the counter needs Volta or newer, and a container that "
            "reaches NVML"
        )

    def read() -> float:
        joules = bench.gauge.energy_joules()
        if joules is None:
            raise CannotRun(f"the GPU's energy counter went away: {bench.gauge.missing.get('energy')}")
        return joules

    return read


def _add(findings: Findings, trace: Trace, idle_w: float | None) -> None:
    """The metrics of a trace.

    Raises:
        CannotRun: the counter hardly moved, so it tells nothing of so short a time.
    """
    if trace.joules.size < FEWEST_STEPS:
        raise CannotRun(
            f"the energy counter moved {trace.joules.size} times while this was measured, and a value needs "
            f"{FEWEST_STEPS}; measure longer"
        )
    batch = findings.case.batch
    joules, samples, seconds = _subwindows(trace, batch)
    each = joules / samples
    energy = ratio_bootstrap(joules, samples)
    findings.add("energy_per_sample", energy, each)
    findings.add("samples_per_joule", ratio_bootstrap(samples, joules), 1 / each)
    if idle_w is None:
        findings.remark(
            "idle-untold",
            f"the energy counter stood still for {IDLE_S:g} s while the device idled, so there is no energy "
            "above idle; read its description, or measure on another device",
        )
        return
    findings.add("idle_power", idle_w)
    net = joules - idle_w * seconds
    if net.sum() > 0:
        findings.add("energy_per_sample_net", ratio_bootstrap(net, samples), net / samples)
    else:
        findings.remark(
            "energy-at-idle",
            f"the device took no more than while it idled ({idle_w:.1f} W), so there is no energy above "
            "idle; stop what works on it besides, and run this again",
            unstable=True,
        )


def _subwindows(trace: Trace, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joules, samples and seconds of up to ten equal parts of the trace, each (k,)."""
    parts = min(SUBWINDOWS, trace.joules.size // 2)
    edges = np.linspace(0, trace.joules.size - 1, parts + 1).round().astype(int)
    return np.diff(trace.joules[edges]), np.diff(trace.launches[edges]) * batch, np.diff(trace.seconds[edges])
