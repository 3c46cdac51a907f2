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
from benchmarks.suites.generation import _plan, generation_measure

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
        both = decoder.peak_bytes()
        decoder.cache_drop()
        assert both - decoder.peak_bytes() == 2 * 2 * 3 * 2 * 40 * 16 * 4  # layers, k and v ...


def test_without_the_cache_none_is_in_memory(tmp_path):
    """On a GPU its bytes would be counted; here the model itself looks who is there."""
    watched = UNTIED.replace(
        "class Scores",
        """
import gc
from pathlib import Path
from transformers import StaticCache
class Watched(Qwen2ForCausalLM):
    def forward(self, input_ids=None, past_key_values=None, use_cache=None, **more):
        if past_key_values is None and input_ids.shape[1] > 2:
            caches = sum(type(one) is StaticCache for one in gc.get_objects())
            with Path("SEEN").open("a") as file:
                print(caches, file=file)
        return super().forward(
            input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache, **more
        )
class Scores""",
    ).replace("Scores(Qwen2ForCausalLM(", "Scores(Watched(")
    seen = tmp_path / "seen"
    report = job(tmp_path, ENTRY, text=watched.replace("SEEN", str(seen)), duration_s=0.4)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert "tokens_per_mebibyte" in values(report, cache=False)
    counts = seen.read_text().split()
    assert len(counts) > 8
    assert set(counts) == {"0"}


def job(tmp_path, source=TINY, duration_s=0.4, batch=1, text=UNTIED, **options):
    (tmp_path / "model.py").write_text(text)
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


def lengths_seen(tmp_path, seconds: float, **options) -> set[int]:
    """The sequences that a decoder which takes `seconds` a call computed without the cache."""
    text = UNTIED.replace(
        "class Scores",
        f"""
import time
from pathlib import Path
class Slow(Qwen2ForCausalLM):
    def forward(self, input_ids=None, past_key_values=None, use_cache=None, **more):
        if past_key_values is None and input_ids.shape[1] > 2:
            time.sleep({seconds})
            with Path("{tmp_path / "lengths"}").open("a") as file:
                print(input_ids.shape[1], file=file)
        return super().forward(
            input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache, **more
        )
class Scores""",
    ).replace("Scores(Qwen2ForCausalLM(", "Scores(Slow(")
    (tmp_path / "lengths").write_text("")
    report = job(tmp_path, ENTRY, text=text, **options)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert values(report, cache=False)["tokens_per_second"] > 0
    return {int(one) for one in (tmp_path / "lengths").read_text().split()}


def test_a_slower_decoder_generates_no_fewer_tokens_without_the_cache(tmp_path):
    expected = set(range(20, 26))
    asked = {"tokens_in": 20, "tokens_out": 6, "duration_s": 1.0}
    assert expected <= lengths_seen(tmp_path, 0.0, **asked)
    # two generations take 0.6 s, and the way without the cache has 0.3 s
    assert expected <= lengths_seen(tmp_path, 0.05, **asked)


def test_what_does_not_fit_into_the_time_is_left_out_and_said(tmp_path):
    report = job(tmp_path, duration_s=0.001)
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    (remark,) = [remark for remark in report.remarks if remark.code == "time-limit"]
    assert "8 tokens take some" in remark.sentence
    assert "tokens_out" in remark.sentence
    assert values(report, cache=True)["tokens_per_second"] > 0
    assert values(report, cache=False) == {}
    (outcome,) = job(tmp_path, duration_s=0.001, cache=False).outcomes
    assert outcome.status == "skipped"
    assert "8 tokens take some" in outcome.reason


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("device", ["cuda", "cpu"])
@pytest.mark.parametrize("positions", [None, 16, 64, 600, 4096])
def test_other_work_has_another_label(device, positions, cache):
    """The label says the tokens wherever they are not the usual ones; measured again it is the same."""
    case = Case(model="m", runner="torch", suite="generation")
    usual, found = (_plan(case, device, limit, cache=cache) for limit in (None, positions))
    assert usual.cut == {}
    same_work = (found.tokens_in, found.tokens_out) == (usual.tokens_in, usual.tokens_out)
    assert same_work == (found.cut == {})
    again = _plan(case.at(cache=cache, **found.cut), device, positions, cache=cache)
    assert (again.tokens_in, again.tokens_out) == (found.tokens_in, found.tokens_out)


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
