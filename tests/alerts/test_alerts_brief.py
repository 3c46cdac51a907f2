"""What a commit status says in 140 characters."""

import pytest

from perfsite.alerts.message import brief_of, text_cut

HEADLINE = "3fa9c1a made resnet50 19.8 % slower on h100-80gb-hbm3 (tensorrt, fp16, batch 8)."
SAID = HEADLINE.rstrip(".")
LAYER = {
    "names": "layer2.0.conv2",
    "before": "310 µs",
    "after": "1.92 ms",
    "change": "+1.61 ms",
    "share": "67 %",
    "differs": "precision fp16 → fp32",
}


def told(most=140, *, state="regressed", headline=HEADLINE, layer=None):
    return brief_of({"headline": headline, "state": state, "layer": layer}, most=most)


@pytest.mark.parametrize(
    ("most", "layer", "words"),
    [
        (140, LAYER, "; layer2.0.conv2 +1.61 ms (67 %), precision fp16 → fp32"),
        (130, LAYER, "; layer2.0.conv2 +1.61 ms (67 %)"),
        (110, LAYER, "; layer2.0.conv2 +1.61 ms"),
        (140, LAYER | {"change": "", "share": ""}, "; layer2.0.conv2: precision fp16 → fp32"),
        (140, LAYER | {"share": "", "differs": ""}, "; layer2.0.conv2 +1.61 ms"),
    ],
)
def test_the_layer_that_moved_most_is_told_as_far_as_it_fits(most, layer, words):
    assert told(most, layer=layer) == SAID + words
    assert len(SAID + words) <= most


def test_of_a_long_name_the_end_is_told_or_nothing():
    name = "encoder.layers.11.self_attention.query_key_value.projection"
    short = told(layer=LAYER | {"names": name, "differs": ""})
    assert len(short) == 140
    assert short.startswith(f"{SAID}; …")
    assert short.endswith("query_key_value.projection +1.61 ms")
    assert told(98, layer=LAYER) == HEADLINE


def test_without_a_layer_or_when_it_is_no_regression_the_sentence_stands_alone():
    assert told() == HEADLINE
    assert told(layer=LAYER, state="withdrawn") == HEADLINE


def test_a_cut_ends_with_a_word():
    long = f"{SAID} and throughput, which fell, on every device of the class, by a tenth"
    cut = told(headline=long)
    assert len(cut) <= 140
    assert long.startswith(cut.rstrip("…"))
    assert long[len(cut) - 1] in " ,"
    assert text_cut("x" * 300, 140) == "x" * 139 + "…"
    assert text_cut("short", 140) == "short"
