"""Generation: the cache changes no token, and each number is what it says."""

import os

import numpy as np
import pytest
import torch
from transformers import BartConfig, BartModel

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun
from benchmarks.models.decoding import decoder_open
from benchmarks.models.language import language_find
from benchmarks.models.prompts import PrefixStore, prefix_length, prompt_make, trace_make
from benchmarks.runners.base import Assets
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.generation import generation_measure

TINY = ModelSource(kind="catalogue", ref="tiny-decoder")
ENTRY = ModelSource(kind="entry", ref="model.py:build")
# a head of its own: a tied random model repeats the last token, which would hide a wrong cache
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


@pytest.fixture(autouse=True)
def one_core():
    """Native threads that an earlier test started do not survive the fork of a child; one core needs none."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def assets_of(tmp_path, source=ENTRY, precision="fp32") -> Assets:
    (tmp_path / "model.py").write_text(UNTIED)
    return Assets(source, tmp_path, precision, "cpu", 1)


def cached(decoder, prompt: np.ndarray, tokens: int, kept: int = 0) -> np.ndarray:
    decoder.prefill(prompt, kept)
    found = [decoder.read()]
    for _ in range(tokens - 1):
        decoder.step()
        found.append(decoder.read())
    return np.concatenate(found, axis=1)


def whole(decoder, prompt: np.ndarray, tokens: int) -> np.ndarray:
    sequence = prompt
    for _ in range(tokens):
        decoder.whole(sequence)
        sequence = np.concatenate([sequence, decoder.read()], axis=1)
    return sequence[:, prompt.shape[1] :]


def test_the_cache_and_a_reused_prefix_change_no_token(tmp_path):
    first, second = prompt_make(2, 16, 500, seed=1), prompt_make(2, 16, 500, seed=2)
    second[:, :12] = first[:, :12]
    with decoder_open(assets_of(tmp_path), batch=2, capacity=lambda _: 40) as decoder:
        expected = whole(decoder, first, 12)
        assert np.unique(expected).size > 8, "a model that repeats itself would prove nothing"
        assert np.array_equal(cached(decoder, first, 12), expected)
        kept = decoder.prefix_copy(12)
        expected = whole(decoder, second, 12)
        cached(decoder, prompt_make(2, 16, 500, seed=3), 12)  # others come in between
        decoder.prefix_put(kept)
        assert np.array_equal(cached(decoder, second, 12, kept=12), expected)


def test_the_bytes_are_those_of_weights_and_cache(tmp_path):
    with decoder_open(assets_of(tmp_path, TINY), batch=3, capacity=lambda _: 40) as decoder:
        weights = decoder.peak_bytes(cache=False)
        assert decoder.peak_bytes(cache=True) - weights == 2 * 2 * 3 * 2 * 40 * 16 * 4  # layers, k and v ...


def job(tmp_path, source=TINY, duration_s=0.4, batch=1, **options):
    (tmp_path / "model.py").write_text(UNTIED)
    case = Case(
        model="m",
        runner="torch",
        suite="generation",
        duration_s=duration_s,
        batch=batch,
        options=options,
    )
    return measure(
        source,
        model="m",
        precision="fp32",
        cases=[case],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        price_per_hour=36.0,
        canary=False,
    )


def values(report, **options) -> dict[str, float]:
    return {
        one.metric: one.value
        for one in report.measurements
        if options.items() <= dict(one.case.options).items()
    }


def test_both_ways_are_measured_each_at_its_own_point(tmp_path):
    report = job(tmp_path, batch=2)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    with_cache, without = values(report, cache=True), values(report, cache=False)
    rated = {"time_to_first_token", "inter_token_latency_p50", "inter_token_latency_p99", "tokens_per_second"}
    assert rated | {"tokens_per_mebibyte", "cost_per_thousand_tokens"} <= with_cache.keys() & without.keys()
    assert "prefix_hit_rate" in with_cache
    assert "prefix_hit_rate" not in without
    for found in (with_cache, without):
        # 36 an hour is a hundredth a second
        assert found["cost_per_thousand_tokens"] == pytest.approx(10 / found["tokens_per_second"])
    rows = [one for one in report.measurements if one.metric == "tokens_per_second"]
    assert all(one.n >= 2 for one in rows), "at least two generations"
    steps = [one for one in report.measurements if one.metric == "inter_token_latency_p50"]
    assert all(one.case.batch == 2 for one in (*rows, *steps))


def test_a_point_alone_is_the_case_itself(tmp_path):
    report = job(tmp_path, cache=True, tokens_in=8, tokens_out=4)
    assert {dict(one.case.options)["tokens_out"] for one in report.measurements} == {4}
    assert values(report, cache=False) == {}


def test_without_time_fewer_tokens_are_generated_and_it_is_said(tmp_path):
    report = job(tmp_path, duration_s=0.001, cache=False)
    (remark,) = [remark for remark in report.remarks if remark.code == "fewer-tokens"]
    assert "2 instead of 16 tokens" in remark.sentence
    assert values(report, cache=False)["tokens_per_second"] > 0


def test_an_entry_points_decoder_is_measured_too(tmp_path):
    report = job(tmp_path, ENTRY, duration_s=0.2, cache=True)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes


@pytest.mark.parametrize(
    ("ref", "options", "words"),
    [
        ("tiny-cnn", {}, "tiny-cnn is no decoder: no part of it takes input_ids"),
        ("tiny-bert", {}, "in BertModel later tokens change the answer at earlier ones"),
        ("tiny-decoder", {"tokens_in": 60, "tokens_out": 5}, "more than the 64 positions"),
    ],
)
def test_what_cannot_generate_is_skipped_with_the_reason(tmp_path, ref, options, words):
    (outcome,) = job(tmp_path, ModelSource(kind="catalogue", ref=ref), **options).outcomes
    assert outcome.status == "skipped"
    assert words in outcome.reason


def test_a_graph_without_a_cache_does_not_generate(tmp_path):
    case = Case(model="m", runner="onnxruntime", suite="generation")
    with pytest.raises(CannotRun, match="use the runner torch"):
        generation_measure(Bench(case=case, assets=assets_of(tmp_path)))


def test_an_encoder_with_a_decoder_is_told_apart():
    with torch.device("meta"):
        model = BartModel(BartConfig(encoder_layers=1, decoder_layers=1))
    with pytest.raises(CannotRun, match="has an encoder beside its decoder"):
        language_find(model, "m")


def test_half_of_the_trace_begins_alike():
    prompts = trace_make(32, 2, 16, 1000)
    begins = [prompt[0, : prefix_length(16)].tobytes() for prompt in prompts]
    most = max(set(begins), key=begins.count)
    assert begins.count(most) == 16
    assert len(set(begins)) == 17
    assert len({prompt.tobytes() for prompt in prompts}) == 32, "every request ends by itself"
    again = trace_make(32, 2, 16, 1000)
    assert all(np.array_equal(one, other) for one, other in zip(prompts, again, strict=True))


def test_the_store_forgets_the_least_recently_used():
    store = PrefixStore(places=2)
    one, two, three = (np.full((1, 2), value) for value in (1, 2, 3))
    store.keep(one, "one")
    store.keep(two, "two")
    assert store.find(one) == "one"
    store.keep(three, "three")
    assert store.find(two) is None
    assert (store.find(one), store.find(three)) == ("one", "three")
