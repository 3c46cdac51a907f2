"""The canary and the gauge on a real NVIDIA GPU."""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]


def test_the_canary_sings_on_the_gpu_and_does_not_move():
    from benchmarks.canary import canary_remarks, canary_time

    time.sleep(3)  # the GPU idles, its clock falls
    before = canary_time("cuda", "before")
    after = canary_time("cuda", "after")
    print(before, after)
    assert (before.clock, after.clock) == ("gpu", "gpu")
    assert canary_remarks((before, after)) == []


def test_the_canary_is_quiet():
    from benchmarks.canary import canary_time

    seconds = np.asarray([canary_time("cuda", "before").seconds for _ in range(6)])
    print(seconds, seconds.std(ddof=1) / seconds.mean())
    assert seconds.std(ddof=1) / seconds.mean() < 0.005


def test_the_canary_takes_the_time_of_its_work():
    """Fifty products of 512 x 512 in fp16 take no less than the fastest tensor cores need for them."""
    from benchmarks.canary import canary_time
    from benchmarks.gpu.canary import PRODUCTS, WIDTH

    operations = PRODUCTS * 2 * WIDTH**3
    assert operations / 3e15 < canary_time("cuda", "before").seconds < operations / 1e13


def test_the_gauge_reads_a_working_gpu():
    from benchmarks.gauge import GpuGauge, held_back
    from benchmarks.gpu.canary import canary_samples

    with GpuGauge() as gauge:
        idle = gauge.read()
        end = time.perf_counter() + 2
        while time.perf_counter() < end:
            canary_samples(20)
        busy = gauge.read()
        share = gauge.utilisation()
        print(idle, busy, share, gauge.missing, gauge.processes(), gauge.foreign(), gauge.device_bytes())
        assert busy["sm_clock"] > 1e8
        assert busy["temperature"] > 10
        assert busy["power"] > 20
        for name, value in busy.items():
            assert value is not None or name in gauge.missing
        if busy["energy"] is not None:
            assert 2 * 20 < busy["energy"] - idle["energy"] < 3 * 1500
        assert held_back(busy) == [] or busy["throttle"]
        if share is None:
            print("no utilisation:", gauge.missing.get("utilisation", "no sample yet"))
        else:
            assert 0.3 < share <= 1
        assert gauge.foreign() == set(), "nobody else is on a GPU that tests"


def test_a_reading_takes_little_of_the_time_between_blocks():
    from benchmarks.gauge import GpuGauge

    with GpuGauge() as gauge:
        gauge.read()
        started = time.perf_counter()
        for _ in range(20):
            gauge.read()
        each = (time.perf_counter() - started) / 20
    print(f"{each * 1e3:.2f} ms a reading")
    assert each < 0.03, "three chunks of 10 ms are in flight while it reads"
