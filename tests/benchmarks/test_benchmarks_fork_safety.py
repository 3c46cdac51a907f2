"""Whether a process may be forked: by its threads, over all of its jobs."""

import subprocess
import sys

import pytest

WATCH = """
import threading
from benchmarks.fork_safety import ForkSafety
import numpy, torch

safety = ForkSafety()
with safety.importing():
    import scipy.linalg  # OpenBLAS starts threads, which know forks
first = safety.safe
{between}
with safety.importing():
    pass
print(first, safety.safe)
"""
OPENMP = "torch.set_num_threads(3); torch.randn(512, 512) @ torch.randn(512, 512)"
PYTHON = "threading.Thread(target=threading.Event().wait, daemon=True).start()"


@pytest.mark.parametrize(
    ("between", "told"), [("", "True True"), (PYTHON, "True True"), (OPENMP, "True False")]
)
def test_threads_of_an_earlier_job_forbid_a_later_ones_forks(between, told):
    code = WATCH.format(between=between)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == told


def test_a_forked_child_begins_anew():
    code = """
import os, torch
from benchmarks.fork_safety import FORK_SAFETY
with FORK_SAFETY.importing():
    pass
torch.set_num_threads(3)
torch.randn(512, 512) @ torch.randn(512, 512)
assert not FORK_SAFETY.safe
pid = os.fork()
if pid == 0:
    os._exit(0 if FORK_SAFETY.safe else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "0"


def test_a_file_of_cudas_memory_manager_tells_that_cuda_was_started(tmp_path):
    from benchmarks.device import cuda_started

    assert not cuda_started()
    (tmp_path / "nvidia-uvm").touch()
    with (tmp_path / "nvidia-uvm").open():
        assert cuda_started()
    assert not cuda_started()
