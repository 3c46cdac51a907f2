"""The torch runners on the CPU: the same numbers as the module, other inputs when fed, clear refusals."""

import numpy as np
import pytest
import torch

from benchmarks.cases import ModelSource
from benchmarks.errors import CannotCapture, CannotRun, ModelError
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

LINEAR = """
import torch

def build():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()), torch.ones(2, 4)
"""


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "linear.py").write_text(LINEAR)

    def make(precision="fp32", **options):
        source = ModelSource(kind="entry", ref="linear.py:build")
        return Assets(source, tmp_path, precision, "cpu", 1, options=tuple(sorted(options.items())))

    return make


@pytest.fixture
def compiled_quickly():
    """By this process alone, without first compiling every header that C++ has to offer."""
    from torch._inductor import config

    with config.patch(compile_threads=1, cpp_cache_precompile_headers=False):
        yield


@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("name", ["torch", "torch_compile"])
def test_runner_gives_the_modules_outputs_for_what_it_is_fed(assets, name):
    with runner_open(name, assets()) as runner:
        runner.bind(3)
        runner.infer()
        (first,) = runner.outputs()
        rows = np.arange(12, dtype=np.float32).reshape(3, 4)
        runner.feed((rows,))
        runner.submit()
        runner.wait()
        (fed,) = runner.outputs()
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    with torch.inference_mode():
        assert np.allclose(first, module(torch.ones(3, 4)).numpy(), atol=1e-6)
        assert np.allclose(fed, module(torch.from_numpy(rows)).numpy(), atol=1e-5)
    assert not np.allclose(first, fed)


def test_runner_without_a_gpu_has_no_stream_and_says_why_it_cannot_capture(assets):
    with runner_open("torch", assets()) as runner:
        runner.bind(1)
        assert runner.stream is None
        with pytest.raises(CannotCapture, match="without a GPU"):
            runner.capture()
        assert not runner.captured


@pytest.mark.parametrize(("precision", "words"), [("int8", "Q/DQ"), ("tf32", "compute capability 8.0")])
def test_precision_that_torch_cannot_run_is_refused_in_words(assets, precision, words):
    with pytest.raises(CannotRun, match=words), runner_open("torch", assets(precision)):
        pass


NESTED = """
import torch

class Nested(torch.nn.Module):
    def forward(self, rows):
        return {"scores": rows * 2, "state": (rows + 1, [rows - 1])}

def build():
    return Nested(), torch.ones(2, 4)

class Nothing(torch.nn.Module):
    def forward(self, rows):
        return "done"

def build_nothing():
    return Nothing(), torch.ones(2, 4)
"""


def test_every_tensor_is_an_output_however_nested(tmp_path):
    (tmp_path / "nested.py").write_text(NESTED)
    source = ModelSource(kind="entry", ref="nested.py:build")
    with runner_open("torch", Assets(source, tmp_path, "fp32", "cpu", 1)) as runner:
        runner.bind(1)
        runner.infer()
        assert [float(array[0, 0]) for array in runner.outputs()] == [2, 2, 0]


def test_a_module_that_returns_no_tensor_is_told(tmp_path):
    (tmp_path / "nested.py").write_text(NESTED)
    source = ModelSource(kind="entry", ref="nested.py:build_nothing")
    with runner_open("torch", Assets(source, tmp_path, "fp32", "cpu", 1)) as runner:
        runner.bind(1)
        runner.infer()
        with pytest.raises(ModelError, match="no tensor but str"):
            runner.outputs()


def test_a_closed_runner_leaves_the_process_as_it_was(assets):
    torch.set_num_threads(2)
    torch.backends.cudnn.allow_tf32 = True
    try:
        with runner_open("torch", assets()):
            assert torch.get_num_threads() == 1
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_num_threads() == 2
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_num_threads(1)
