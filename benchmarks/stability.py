"""Doubts about a measurement, each a sentence with its remedy."""

from __future__ import annotations

import numpy as np

from benchmarks.gauge import Gauge, held_back
from benchmarks.load import Load
from benchmarks.suites.base import Findings
from benchmarks.timing import FEWEST_SAMPLES, Timing

TAIL_RATIO = 2.0
FEW_SAMPLES = 5 * FEWEST_SAMPLES
DISTURBED_SHARE = 0.05
OTHERS_SHARE = 0.05
CLOCK_SHARE = 0.05


def timing_remarks(findings: Findings, timing: Timing) -> None:
    """What makes this window's samples doubtful."""
    n = timing.samples.size
    if n < FEW_SAMPLES:
        findings.remark(
            "few-samples",
            f"only {n} samples: the tail percentiles are little more than the slowest ones; "
            f"measure at least {FEW_SAMPLES} by a longer duration",
        )
    if not timing.kept:
        findings.remark(
            "disturbed",
            f"other processes took the processor in {timing.disturbed} of {n} calls, too many to leave "
            "out; stop other work on the machine, or pin the worker to cores of its own",
            unstable=True,
        )
    elif timing.disturbed > DISTURBED_SHARE * n:
        findings.remark(
            "disturbed",
            f"other processes took the processor in {timing.disturbed} of {n + timing.disturbed} calls; "
            "those were left out and measured again",
        )
    p50, p99 = np.quantile(timing.samples, (0.5, 0.99))
    if p99 > TAIL_RATIO * p50:
        findings.remark(
            "long-tail",
            f"p99 is {p99 / p50:.1f} times p50, more than {TAIL_RATIO:g}: most likely something else ran "
            "on these cores at times; stop other work on the machine, or pin the worker to cores of its own",
        )
    if not timing.stable:
        findings.remark(
            "warm-up",
            "two blocks of the warm-up never agreed within 2 %: the first samples may still be slow; "
            "measure longer, or look for other work on the machine",
        )
    if timing.load is not None:
        _load_remarks(findings, timing.load, timing.cores)


def _load_remarks(findings: Findings, load: Load, cores: int) -> None:
    """Who else used the cores.

    On one core the calls they fell into are known and judged by `kept`.  On several they are not: a
    call's threads use more processor time than it takes, whoever else runs.
    """
    if load.others >= OTHERS_SHARE:
        findings.remark(
            "cpu-busy",
            f"other processes used {load.others:.0%} of these cores while this was measured; "
            "stop them, or pin the worker to cores of its own",
            unstable=cores > 1,
        )
    if load.stolen >= OTHERS_SHARE:
        findings.remark(
            "cpu-stolen",
            f"the hypervisor gave {load.stolen:.0%} of these cores' time to other machines; "
            "measure on a host of its own, or longer",
            unstable=True,
        )


def held_back_remark(findings: Findings, dropped: int, pairs: int, *, kept: bool) -> None:
    """How many of all blocks of launches fell into times in which the GPU was held back, if any did."""
    if not kept:
        findings.remark(
            "held-back",
            "the GPU was held back most of the time, too much to leave out; cool it or look at its power "
            "supply, and run this again",
            unstable=True,
        )
    elif dropped:
        findings.remark(
            "held-back",
            f"the GPU was held back in {dropped} of {pairs} blocks of launches; those were left out and "
            "measured again",
        )


def gpu_warm_up_remark(findings: Findings, *, stable: bool) -> None:
    """Whether the GPU's time had settled before it was measured."""
    if not stable:
        findings.remark(
            "gpu-warm-up",
            "two blocks of launches never agreed within 0.1 % while the GPU warmed up: its clock still "
            "moved; measure longer",
        )


def gauge_remarks(findings: Findings, gauge: Gauge) -> None:
    """What the GPU's own readings say against this case's numbers."""
    readings = [values for _, values in gauge.readings]
    reasons = sorted({words for values in readings for words in held_back(values)})
    # a suite that left the held-back blocks out has said so
    if reasons and not any(one.code == "held-back" for one in findings.remarks):
        findings.remark(
            "throttled",
            f"the GPU was held back by {' and '.join(reasons)} while this was measured; "
            "cool it or look at its power supply, and run this again",
            unstable=True,
        )
    clocks = [clock for values in readings if (clock := values.get("sm_clock"))]
    # the first reading may be of an idle GPU, whose clock is low by design
    if len(clocks) > 2 and (span := 1 - min(clocks[1:-1]) / max(clocks[1:-1])) > CLOCK_SHARE:
        findings.remark(
            "clock-moved",
            f"the GPU's clock moved by {span:.0%} while this was measured ({min(clocks[1:-1]) / 1e6:.0f} to "
            f"{max(clocks[1:-1]) / 1e6:.0f} MHz); lock the clocks, or compare only with runs at equal clocks",
        )
    foreign = gauge.foreign()
    if foreign:
        findings.remark(
            "foreign-process",
            f"other processes computed on the GPU ({', '.join(map(str, sorted(foreign)))}); "
            "keep them off a GPU that measures, and run this again",
            unstable=True,
        )
    # the readers of these say in their own remarks what they went without
    missing = {name: why for name, why in gauge.missing.items() if name not in ("processes", "accounting")}
    if missing:
        why = "; ".join(sorted(set(missing.values())))
        findings.remark(
            "reading-missing",
            f"the GPU's {', '.join(sorted(missing))} could not be read ({why}), so this was measured without "
            "that watch; update the driver, or let the container reach NVML",
        )
