"""The device: its lease, its cores, its names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.device import DeviceError, device_leased, split_cores
from workers.messages import device_class_slug, queue_name


def lease_elsewhere(locks: Path, work: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys, pathlib; from workers.device import device_leased\n"
        "locks, work = map(pathlib.Path, sys.argv[1:])\n"
        "with device_leased('cpu', work=work, locks=locks) as bench: print(bench.device.uuid)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(locks), str(work)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )


def test_a_leased_device_is_refused_to_another_process_until_it_is_free(tmp_path: Path) -> None:
    with device_leased("cpu", work=tmp_path, locks=tmp_path) as bench:
        refused = lease_elsewhere(tmp_path, tmp_path)
        assert refused.returncode != 0
        assert f"held by the worker with process id {os.getpid()}" in refused.stderr
    granted = lease_elsewhere(tmp_path, tmp_path)
    assert granted.stdout.splitlines()[-1] == bench.device.uuid


def test_a_lease_ends_with_an_exception(tmp_path: Path) -> None:
    with pytest.raises(KeyError), device_leased("cpu", work=tmp_path, locks=tmp_path):
        raise KeyError
    with device_leased("cpu", work=tmp_path, locks=tmp_path):
        pass


def test_an_unknown_device_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with (
        pytest.raises(DeviceError, match="no device 'cuda:97' here"),
        device_leased("cuda:97", work=tmp_path),
    ):
        pass


def test_the_processor_is_a_device_with_a_name_that_lasts(tmp_path: Path) -> None:
    names = set()
    for _ in range(2):
        with device_leased("cpu", work=tmp_path, locks=tmp_path) as bench:
            names.add((bench.device.device_class, bench.device.name, bench.device.uuid))
    ((device_class, name, uuid),) = names
    assert device_class == "cpu"
    assert name
    assert uuid.startswith("cpu-")


@pytest.mark.parametrize(
    ("cores", "house", "bench"),
    [([0], (0,), (0,)), ([0, 1], (0,), (1,)), ([2, 5, 7], (2,), (5, 7))],
)
def test_the_first_core_is_the_houses(cores: list[int], house: tuple, bench: tuple) -> None:
    assert split_cores(cores) == (house, bench)


def test_a_marketing_name_becomes_a_class_and_its_queue() -> None:
    assert queue_name(device_class_slug("NVIDIA H100 80GB HBM3")) == "gpu.h100-80gb-hbm3"
