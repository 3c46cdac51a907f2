"""Verdicts as sentences."""

import pytest

from perfsite.regressions import wording
from perfsite.regressions.wording import Change, Subject

CNN = Subject("3fa9c1a", "cnn", "torch", "fp32", "b1", "cpu", "latency_p50")


def subject(metric: str) -> Subject:
    return Subject("3fa9c1a", "cnn", "torch", "fp32", "b1", "cpu", metric)


def test_a_confirmed_change_says_what_how_much_and_how_sure():
    assert wording.confirmed_sentence(CNN, Change(0.0123, 0.01474, 0.198, 0.181, 0.215), pairs=8) == (
        "3fa9c1a made cnn 19.8 % slower on cpu (torch, fp32, batch 1): latency p50 12.3 ms → 14.7 ms, "
        "+19.8 % [18.1, 21.5]. Confirmed by 8 interleaved pairs."
    )


def test_each_metric_has_its_words():
    change = Change(2.0**20, 2.0**21, 1.0)
    assert "raised the host peak memory of cnn by 100 %" in wording.change_sentence(
        subject("host_peak_memory"), change
    )
    assert "raised the ONNX size of cnn" in wording.change_sentence(subject("model_size"), change)
    assert "lowered the throughput of cnn by 16.7 %" in wording.change_sentence(
        subject("throughput"), Change(120.0, 100.0, -1 / 6)
    )
    assert "made cnn 5.00 % faster" in wording.change_sentence(CNN, Change(1.0, 0.95, -0.05))


def test_a_metric_that_left_the_table_still_reads():
    words = wording.exact_sentence(subject("old_metric"), Change(1.0, 2.0, 1.0))
    assert "raised the old_metric of cnn by 100 %" in words
    assert "1 → 2" in words


def test_signs_are_true_signs():
    assert wording.change_words(Change(1.0, 0.95, -0.05, -0.06, -0.04)) == "−5.00 % [−6.0, −4.0]"
    assert wording.change_words(Change(1.0, 1.05, 0.05)) == "+5.00 %"


def test_no_verdict_says_why():
    words = wording.unknown_sentence(CNN, reason=wording.screen_reason("few_points"))
    assert words.endswith("is not known: there are too few earlier points to know the noise.")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("b8", "batch 8"),
        ("b8,qps=50", "batch 8, qps 50"),
        ("b1,max_batch=4,max_delay_ms=2.5", "batch 1, max batch 4, max delay 2.5 ms"),
        ("b1,cache=false,workspace_mib=64", "batch 1, cache off, workspace 64 MiB"),
        ("b1,provider.arena=a=b", "batch 1, provider.arena a=b"),
        ("256x256", "256x256"),
    ],
)
def test_a_shape_reads_as_words(shape, words):
    assert wording.shape_words(shape) == words


def test_a_change_from_nothing_says_from_what_to_what():
    words = wording.exact_sentence(subject("leaks"), Change(0.0, 1.0, 1.0))
    assert "raised the counters that leak of cnn from 0 to 1 on cpu" in words
    rate = wording.change_sentence(subject("server_error_rate"), Change(0.0, 0.05, 1.0))
    assert "from 0 % to 5.00 %" in rate


def test_a_repositorys_own_metric_keeps_its_name():
    words = wording.change_sentence(subject("evaluate.higher.BLEU-4"), Change(30.0, 27.0, -0.1))
    assert words == "3fa9c1a lowered the BLEU-4 of cnn by 10.0 % on cpu (torch, fp32, batch 1)"
    assert wording.values_words("evaluate.lower.wer", Change(0.1, 0.2, 1.0)) == "0.1 → 0.2"


def test_a_change_too_small_to_matter_is_not_called_none():
    loading = Subject("20bb10d", "cnn", "torch", "fp32", "b1", "cpu", "load_time")
    small = wording.same_sentence(loading, Change(0.03, 0.06, 1.0, 0.4, 2.2), pairs=7)
    assert small.startswith(
        "20bb10d changed the load time of cnn on cpu (torch, fp32, batch 1) by less than "
    )
    assert "30.0 ms → 60.0 ms, +100 % [40.0, 220.0] over 7 interleaved pairs." in small
    none = wording.same_sentence(subject("load_time"), Change(0.03, 0.03, 0.01, -0.1, 0.1), pairs=7)
    assert none.startswith("3fa9c1a did not change the load time")
