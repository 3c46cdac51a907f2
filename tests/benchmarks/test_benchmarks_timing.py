"""Timing by duration and count, with the collector out of the way."""

import gc
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks.load import load_between, load_mark
from benchmarks.suites.throughput import block_rates
from benchmarks.timing import FEWEST_SAMPLES, Timing, calls_time, latency_time


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_it_ends_by_duration_and_has_the_fewest_samples():
    assert calls_time(lambda: time.sleep(0.02), 0.0, fewest=5).size == 5
    many = calls_time(lambda: None, 0.02)
    assert many.size > 100
    assert many.sum() >= 0.02


def test_samples_are_the_seconds_of_each_call():
    timing = latency_time(lambda: spin(0.002), 0.1, cores=1)
    assert timing.samples.size >= FEWEST_SAMPLES
    # of twenty and more calls one is undisturbed on any machine
    assert 0.002 <= timing.samples.min() < 0.0025


def test_a_call_that_sleeps_uses_no_processor():
    asleep = latency_time(lambda: time.sleep(0.005), 0.1, cores=1)
    awake = latency_time(lambda: spin(0.005), 0.1, cores=1)
    assert asleep.own_share < awake.own_share / 2
    assert np.median(asleep.processor) < np.median(awake.processor) / 2
    assert asleep.disturbed < 0.2 * asleep.samples.size, "waiting is the model's own time"


def test_no_garbage_is_collected_while_sampling():
    seen = []
    latency_time(lambda: seen.append(gc.isenabled()), 0.01, cores=1)
    assert not any(seen)
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity")
def test_calls_that_another_process_disturbed_are_told():
    before = os.sched_getaffinity(0)
    core = {min(before)}
    os.sched_setaffinity(0, core)  # the child inherits it: both want the same core
    rival = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        timing = latency_time(lambda: spin(0.001), 0.5, cores=1)
    finally:
        rival.kill()
        rival.wait()
        os.sched_setaffinity(0, before)
    assert timing.disturbed > 0
    assert timing.load.others > 0.2


def test_throughput_is_samples_over_the_time_of_each_block():
    timing = Timing(np.full(300, 0.01), np.full(300, 0.01), own_share=1.0, load=None, stable=True)
    rates = block_rates(timing, batch=4)
    assert rates.size == 100
    assert rates == pytest.approx(400.0)


def test_the_load_of_an_idle_wait_is_not_ours():
    before = load_mark()
    time.sleep(0.2)
    load = load_between(before, load_mark(), cores=1)
    if load is None:
        pytest.skip("this kernel does not tell the cores' time")
    assert load.own < 0.2
    assert load_between(None, before, cores=1) is None
