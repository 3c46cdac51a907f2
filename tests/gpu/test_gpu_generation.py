"""Generation and the sweep on a real NVIDIA GPU."""

import numpy as np
import pytest

from benchmarks.cases import Case, ModelSource

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]

ENTRY = ModelSource(kind="entry", ref="model.py:build")
UNTIED = """
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
class Scores(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
    def forward(self, ids):
        return self.model(ids, use_cache=False, return_dict=False)[0]
def build():
    config = Qwen2Config(vocab_size=500, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=128, max_position_embeddings=128,
        tie_word_embeddings=False, initializer_range=0.3)
    return Scores(Qwen2ForCausalLM(config)), torch.randint(500, (1, 16))
"""


def generated(decoder, prompt: np.ndarray, tokens: int, kept: int = 0) -> np.ndarray:
    decoder.prefill(prompt, kept)
    found = [decoder.read()]
    for _ in range(tokens - 1):
        decoder.step()
        found.append(decoder.read())
    return np.concatenate(found, axis=1)


def test_captured_steps_and_prompts_give_the_same_tokens(tmp_path):
    from benchmarks.models.decoding import decoder_open
    from benchmarks.models.prompts import prompt_make
    from benchmarks.runners.base import Assets

    (tmp_path / "model.py").write_text(UNTIED)
    assets = Assets(ENTRY, tmp_path, "fp32", "cuda", 1)
    first, second = prompt_make(2, 16, 500, seed=1), prompt_make(2, 16, 500, seed=2)
    second[:, :12] = first[:, :12]
    with decoder_open(assets, batch=2, capacity=lambda _: 40) as decoder:
        expected = [generated(decoder, prompt, 16) for prompt in (first, second)]
        assert np.unique(expected).size > 8, "a model that repeats itself would prove nothing"
        decoder.capture(16, (12,))
        found = [generated(decoder, prompt, 16) for prompt in (first, second)]
        assert np.array_equal(found, expected)
        generated(decoder, first, 16)
        kept = decoder.prefix_copy(12)
        generated(decoder, prompt_make(2, 16, 500, seed=3), 16)
        decoder.prefix_put(kept)
        assert np.array_equal(generated(decoder, second, 16, kept=12), expected[1])


def job(tmp_path, suite: str, model: str, duration_s: float = 1.0, **options):
    from benchmarks.session import measure

    return measure(
        ModelSource(kind="catalogue", ref=model),
        model=model,
        precision="fp16",
        cases=[
            Case(
                model=model,
                runner="torch",
                precision="fp16",
                suite=suite,
                duration_s=duration_s,
                options=options,
            )
        ],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        canary=False,
    )


def test_generation_is_measured_in_graphs(tmp_path):
    report = job(tmp_path, "generation", "tiny-decoder")
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert [remark.sentence for remark in report.remarks if remark.code == "no-graph"] == []
    found = {
        one.metric: one.value for one in report.measurements if dict(one.case.options).get("cache") is True
    }
    assert 0 < found["gpu_compute_time_p50"] <= found["inter_token_latency_p50"] < 0.05
    assert 0 < found["prefix_first_token"] < 0.5
    assert 0 < found["prefix_hit_rate"] <= 0.5


def test_the_sweep_ends_at_the_models_limit(tmp_path):
    report = job(tmp_path, "sweep", "tiny-bert", duration_s=3.0)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    peaks = [one.value for one in report.measurements if one.metric == "gpu_allocated_peak"]
    assert len(peaks) == 2
    assert 0 < peaks[0] <= peaks[1]
    assert [one.value for one in report.measurements if one.metric == "sweep_largest"] == [64]
    assert sum(one.metric == "gpu_compute_time_p50" for one in report.measurements) == 2


def test_the_sweep_ends_when_the_gpus_memory_is_full(tmp_path):
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Hungry(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        if images.is_cuda and images.shape[-1] > 16:\n"
        "            torch.empty(2**43, device='cuda')\n"
        "        return images.mean((1, 2, 3))\n"
        "def build():\n"
        "    return Hungry(), torch.randn(1, 3, 8, 8)\n"
    )
    from benchmarks.session import measure

    report = measure(
        ENTRY,
        model="m",
        precision="fp32",
        cases=[Case(model="m", runner="torch", suite="sweep", duration_s=1.0)],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        canary=False,
    )
    assert [one.value for one in report.measurements if one.metric == "sweep_largest"] == [16]
    assert [remark.code for remark in report.remarks if remark.code == "out-of-memory"] == ["out-of-memory"]
