"""Catalogue, entry points and inputs: what loads, and what each mistake is told as."""

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from benchmarks.cases import ModelSource
from benchmarks.errors import ModelError
from benchmarks.models.arrays import arrays_batched
from benchmarks.models.catalogue import CATALOGUE, catalogue_build
from benchmarks.models.inputs import example_resized, tensor_array, tensors_batched
from benchmarks.models.qwen import weights_draw
from benchmarks.models.sizes import example_size
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


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet50", 25_557_032),
        ("resnet152", 60_192_808),
        ("vit-b16", 86_567_656),
        ("clip-vit-b32", 151_277_313),
        ("bert-base", 108_891_648),  # 109,482,240 with the pooler, which is left out
        ("bart-large", 406_291_456),
        ("qwen2-1.5b", 1_543_714_304),
    ],
)
def test_a_large_model_has_the_published_parameter_count(name, parameters):
    with torch.device("meta"):  # shapes alone
        module, _ = catalogue_build(name)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


def test_seeded_weights_are_spread_as_configured_and_no_two_rows_are_equal():
    config = Qwen2Config(
        vocab_size=600,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = Qwen2ForCausalLM(config)
    torch.manual_seed(0)
    weights_draw(model)
    matrix = model.model.embed_tokens.weight
    assert matrix.std().item() == pytest.approx(0.02, rel=0.02)
    assert matrix.mean().item() == pytest.approx(0, abs=1e-3)
    assert torch.unique(matrix, dim=0).shape[0] == 600
    assert model.model.norm.weight.unique().tolist() == [1.0]
    assert model.model.layers[0].self_attn.q_proj.bias.unique().tolist() == [0.0]


def test_tokens_are_resized_with_their_masks():
    ids, mask = torch.tensor([[5, 6, 7]]), torch.tensor([[1, 1, 0]])
    squared, feature = torch.eye(3)[None, None], torch.zeros(1, 4)
    resized = example_resized((ids, mask, squared, feature), 5, "m")
    assert resized[0].tolist() == [[5, 6, 7, 5, 6]]
    assert resized[1].tolist() == [[1, 1, 0, 1, 1]]
    assert [tuple(one.shape) for one in resized[2:]] == [(1, 1, 5, 5), (1, 4)]


def test_a_text_beside_an_image_stays_as_it_is():
    image, text = torch.randn(1, 3, 8, 8), torch.arange(6)[None]
    bigger, same = example_resized((image, text), 12, "m")
    assert bigger.shape == (1, 3, 12, 12)
    assert torch.equal(bigger[:, :, :8, :8], image)
    assert same is text


def test_both_sides_of_an_encoder_and_decoder_are_resized():
    sides = example_resized((torch.ones(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long)), 9, "m")
    assert [tuple(side.shape) for side in sides] == [(1, 9), (1, 9)]


@pytest.mark.parametrize(
    ("example", "size"),
    [
        ((np.zeros((1, 3, 32, 32), np.float32),), ("pixels", 32)),
        ((np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 16), np.int64)), ("pixels", 32)),
        ((np.zeros((1, 16), np.int64), np.ones((1, 16), np.int64)), ("tokens", 16)),
        ((torch.zeros(1, 16, dtype=torch.long), torch.zeros(1, 1, 16, 16)), ("tokens", 16)),
        ((np.zeros((1, 7), np.float32),), None),
    ],
)
def test_the_size_of_an_example(example, size):
    assert example_size(example) == size


def test_inputs_without_a_size_are_refused():
    with pytest.raises(ModelError, match="has no size"):
        example_resized((torch.randn(1, 4),), 8, "m")


def test_more_tokens_than_positions_are_refused(tmp_path):
    source = ModelSource(kind="catalogue", ref="tiny-decoder")  # rotary: it would run on without an error
    assert model_load(source, tmp_path, "fp32", size=64).example[0].shape == (1, 64)
    with pytest.raises(ModelError, match="65 tokens are more than the 64 positions"):
        model_load(source, tmp_path, "fp32", size=65)


@pytest.mark.parametrize("size", [16, 48])
def test_clip_takes_other_image_sizes(size, tmp_path):
    model = model_load(ModelSource(kind="catalogue", ref="tiny-clip"), tmp_path, "fp32", size=size)
    model_try(model, "tiny-clip")
    assert [tuple(one.shape) for one in model.example] == [(1, 3, size, size), (1, 16)]


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
