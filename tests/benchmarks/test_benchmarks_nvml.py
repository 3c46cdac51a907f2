"""Which GPU the report describes."""

import pytest

from benchmarks.nvml import gpu_visible


@pytest.mark.parametrize(
    ("devices", "gpu"),
    [
        (None, 0),
        ("", 0),
        ("2", 2),
        ("3,1", 3),
        ("GPU-7968a6fa-3f4e", "GPU-7968a6fa-3f4e"),
        ("GPU-a,GPU-b", "GPU-a"),
    ],
)
def test_the_first_visible_gpu_is_the_one_measured(devices, gpu):
    assert gpu_visible(devices) == gpu
