"""Catalogue, entry points and inputs: what loads, and what each mistake is told as."""

import numpy as np
import pytest
import torch

from benchmarks.cases import ModelSource
from benchmarks.errors import ModelError
from benchmarks.models.arrays import arrays_batched
from benchmarks.models.catalogue import CATALOGUE
from benchmarks.models.inputs import tensor_array, tensors_batched
from benchmarks.models.source import model_load, model_try

GOOD = """
import torch
def build():
    return torch.nn.Linear(4, 2), torch.ones(1, 4)
"""


def entry(tmp_path, text: str, ref: str = "model.py:build", precision: str = "fp32"):
    (tmp_path / "model.py").write_text(text)
    return model_load(ModelSource(kind="entry", ref=ref), tmp_path, precision)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name.startswith("tiny")])
def test_a_catalogue_model_runs_and_is_the_same_each_time(name, tmp_path):
    source = ModelSource(kind="catalogue", ref=name)
    first, second = (model_load(source, tmp_path, "fp32") for _ in range(2))
    model_try(first, name)
    with torch.inference_mode():
        output = first.module(*first.example)
        assert torch.equal(output, second.module(*second.example))
    assert isinstance(output, torch.Tensor)
    assert first.parameter_count == second.parameter_count > 1000


def test_resnet50_has_the_papers_parameter_count(tmp_path):
    assert (
        model_load(ModelSource(kind="catalogue", ref="resnet50"), tmp_path, "fp32").parameter_count
        == 25_557_032
    )


def test_an_unknown_catalogue_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ModelError, match="tiny-cnn"):
        model_load(ModelSource(kind="catalogue", ref="resnet51"), tmp_path, "fp32")


def test_an_entry_point_loads_in_its_precision(tmp_path):
    model = entry(tmp_path, GOOD, precision="fp16")
    assert model.module.weight.dtype == model.example[0].dtype == torch.float16
    assert model.parameter_count == 10
    assert not model.module.training


def test_an_entry_point_imports_its_neighbours(tmp_path):
    (tmp_path / "neighbour_of_entry.py").write_text("WIDTH = 7\n")
    text = GOOD.replace("Linear(4, 2)", "Linear(4, WIDTH)")
    assert entry(tmp_path, "from neighbour_of_entry import WIDTH\n" + text).module.out_features == 7
    assert not (tmp_path / "__pycache__").exists(), "nothing is written into the checkout"


def test_a_changed_file_of_equal_length_is_read_anew(tmp_path):
    assert entry(tmp_path, GOOD).module.out_features == 2
    assert entry(tmp_path, GOOD.replace("Linear(4, 2)", "Linear(4, 3)")).module.out_features == 3


@pytest.mark.parametrize(
    ("text", "ref", "words"),
    [
        (GOOD, "model.py", "path/file.py:function"),
        (GOOD, "other.py:build", "no file other.py"),
        (GOOD, "../model.py:build", "outside the checkout"),
        (GOOD, "model.py:make", r"no function 'make'; it has: build"),
        ("raise RuntimeError('broken')", "model.py:build", "importing model.py raised RuntimeError: broken"),
        ("def build(", "model.py:build", "SyntaxError"),
        ("def build():\n    return 1 / 0", "model.py:build", "raised ZeroDivisionError"),
        ("import sys\ndef build():\n    sys.exit(3)", "model.py:build", "raised SystemExit"),
        ("def build():\n    return 5", "model.py:build", "must return"),
        ("def build():\n    return 5, 6", "model.py:build", "must be a torch.nn.Module, not int"),
        (GOOD.replace("torch.ones(1, 4)", "'x'"), "model.py:build", "tensor or a tuple of tensors, not str"),
        (GOOD.replace("torch.ones(1, 4)", "()"), "model.py:build", "tuple of tensors"),
        (GOOD.replace("torch.ones(1, 4)", "torch.tensor(1.0)"), "model.py:build", "no batch dimension"),
        (
            GOOD.replace("torch.ones(1, 4)", "(torch.ones(1, 4), torch.ones(2, 4))"),
            "model.py:build",
            r"dim 0 of every example input is the batch, found \[1, 2\]",
        ),
    ],
)
def test_each_mistake_of_an_entry_point_is_told(tmp_path, text, ref, words):
    with pytest.raises(ModelError, match=words):
        entry(tmp_path, text, ref)


def test_a_forward_that_raises_is_the_models_fault(tmp_path):
    model = entry(tmp_path, GOOD.replace("torch.ones(1, 4)", "torch.ones(1, 5)"))
    with pytest.raises(ModelError, match="forward raised RuntimeError"):
        model_try(model, "model.py:build")


def test_batches_repeat_the_examples_rows():
    rows = torch.arange(6).reshape(3, 2)
    (five,) = tensors_batched((rows,), 5)
    assert five[:, 0].tolist() == [0, 2, 4, 0, 2]
    (same,) = arrays_batched((rows.numpy(),), 5)
    assert np.array_equal(same, five.numpy())


def test_bfloat16_crosses_to_numpy_bit_by_bit():
    tensor = torch.randn(2, 3).to(torch.bfloat16)
    array = tensor_array(tensor)
    assert array.dtype.name == "bfloat16"
    assert np.array_equal(array.astype(np.float32), tensor.float().numpy())
