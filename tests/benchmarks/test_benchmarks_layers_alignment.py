"""Aligning the layers of two builds: fusion, renames, order, duplicates, size; and what they explain."""

import random
import time

import pytest

from benchmarks.layers import Layer, Layers, layers_align, layers_difference
from benchmarks.layers.sequence import sequences_align
from benchmarks.layers.wording import details_words, explained_sentence, names_words


def layer(name: str, *origins: str, us: float | None = None, **told) -> Layer:
    return Layer(name, origins=frozenset(origins), seconds=None if us is None else us * 1e-6, **told)


def names(groups) -> list[tuple[str, str, str]]:
    return [
        ("+".join(one.name for one in group.before), "+".join(one.name for one in group.after), group.how)
        for group in groups
    ]


def test_a_fused_layer_meets_its_parts():
    before = [layer("conv", "c"), layer("bn", "b"), layer("relu", "r"), layer("fc", "f")]
    after = [layer("c+b+r", "c", "b", "r"), layer("fc", "f")]
    assert names(layers_align(before, after)) == [("conv+bn+relu", "c+b+r", "origin"), ("fc", "fc", "origin")]
    assert names(layers_align(after, before)) == [("c+b+r", "conv+bn+relu", "origin"), ("fc", "fc", "origin")]


def test_fusions_that_overlap_are_one_group():
    before = [layer("ab", "a", "b"), layer("cd", "c", "d"), layer("e", "e")]
    after = [layer("a", "a"), layer("bc", "b", "c"), layer("d", "d"), layer("e", "e")]
    assert names(layers_align(before, after)) == [("ab+cd", "a+bc+d", "origin"), ("e", "e", "origin")]


def test_layers_without_origins_match_by_name_one_to_one():
    before = [layer("copy"), layer("x"), layer("copy"), layer("gone", kind="A")]
    after = [layer("copy"), layer("copy"), layer("copy"), layer("x")]
    assert names(layers_align(before, after)) == [
        ("copy", "copy", "name"),
        ("x", "x", "name"),
        ("copy", "copy", "name"),
        ("gone", "", "removed"),
        ("", "copy", "added"),
    ]


def test_renamed_layers_match_by_kind_between_those_that_are_known():
    before = [layer("a1", "a1", kind="Conv"), layer("k", "k"), layer("a2", "a2", kind="Conv")]
    after = [layer("k", "k"), layer("b2", "b2", kind="Conv")]
    found = names(layers_align(before, after))
    assert ("a2", "b2", "position") in found
    assert ("a1", "", "removed") in found


def test_all_renamed_layers_match_in_order_and_the_inserted_one_stands_alone():
    kinds = ["Conv", "Relu", "Conv", "Relu", "Gemm"]
    before = [layer(f"a{place}", f"a{place}", kind=kind) for place, kind in enumerate(kinds)]
    after = [layer(f"b{place}", f"b{place}", kind=kind) for place, kind in enumerate(kinds)]
    after.insert(2, layer("new", "new", kind="Softmax"))
    found = names(layers_align(before, after))
    assert [(one, other) for one, other, how in found if how == "position"] == [
        ("a0", "b0"), ("a1", "b1"), ("a2", "b2"), ("a3", "b3"), ("a4", "b4"),
    ]  # fmt: skip
    assert found[-1] == ("", "new", "added")


def test_of_two_of_a_kind_the_one_of_the_same_shape_is_taken():
    before = [layer("a", kind="Conv", shapes="1x64")]
    after = [layer("b", kind="Conv", shapes="1x32"), layer("c", kind="Conv", shapes="1x64")]
    assert names(layers_align(before, after)) == [("a", "c", "position"), ("", "b", "added")]


def test_a_name_that_only_counts_does_not_say_which_layer_it_is():
    def fused(name: str, shapes: str) -> Layer:
        return layer(name, kind="Gelu", shapes=shapes)

    before = [fused("Gelu", "1x8"), fused("Gelu_token_2", "1x16")]
    after = [fused("Gelu", "1x4"), fused("Gelu_token_2", "1x8"), fused("Gelu_token_5", "1x16")]
    assert names(layers_align(before, after)) == [
        ("Gelu", "Gelu_token_2", "position"),
        ("Gelu_token_2", "Gelu_token_5", "position"),
        ("", "Gelu", "added"),
    ]


def test_reordered_layers_keep_their_origins():
    before = [layer("a", "a"), layer("b", "b"), layer("c", "c")]
    assert {how for *_, how in names(layers_align(before, before[::-1]))} == {"origin"}


def test_layers_of_unknown_kind_are_not_taken_for_each_other():
    assert [how for *_, how in names(layers_align([layer("a")], [layer("b")]))] == ["removed", "added"]


def test_nothing_aligns_with_nothing():
    assert layers_align([], []) == []
    assert names(layers_align([], [layer("a")])) == [("", "a", "added")]
    assert layers_difference(Layers((), "x"), Layers((), "x")).changes == ()


@pytest.mark.parametrize("seed", range(20))
def test_every_layer_is_in_exactly_one_group(seed):
    dice = random.Random(seed)

    def some() -> list[Layer]:
        return [
            layer(
                f"n{dice.randrange(12)}",
                *(f"o{dice.randrange(25)}" for _ in range(dice.randrange(3))),
                kind=dice.choice(["", "Conv", "Relu"]),
            )
            for _ in range(dice.randrange(15))
        ]

    before, after = some(), some()
    groups = layers_align(before, after)
    held = [id(one) for group in groups for one in (*group.before, *group.after)]
    assert sorted(held) == sorted(map(id, (*before, *after)))
    for group in groups:
        assert (group.how in ("added", "removed")) == (not group.before or not group.after)
    owners = {
        origin: place for place, group in enumerate(groups) for one in group.before for origin in one.origins
    }
    for place, group in enumerate(groups):
        for one in group.after:
            assert all(owners.get(origin, place) == place for origin in one.origins)


@pytest.mark.parametrize("seed", range(20))
def test_the_alignment_in_order_is_as_long_as_the_longest_common_sequence(seed):
    dice = random.Random(seed)
    before, after = ([(dice.choice("abc"), "") for _ in range(dice.randrange(30))] for _ in range(2))
    pairs = sequences_align(before, after)
    assert pairs == sorted(pairs)
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    assert all(before[one] == after[other] for one, other in pairs)
    longest = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for row, one in enumerate(before):
        for column, other in enumerate(after):
            same = longest[row][column] + 1 if one == other else 0
            longest[row + 1][column + 1] = max(same, longest[row][column + 1], longest[row + 1][column])
    assert len(pairs) == longest[-1][-1]


@pytest.mark.parametrize("renamed", [False, True])
def test_five_thousand_layers_take_less_than_a_second(renamed):
    dice = random.Random(1)

    def model(prefix: str) -> Layers:
        kinds = ["Conv", "Relu", "Add", "MatMul", "Softmax"]
        rows = (
            layer(f"{prefix}{place}", f"{prefix}{place}", us=dice.random() * 100, kind=dice.choice(kinds))
            for place in range(5000)
        )
        return Layers(tuple(rows), "x")

    before, after = model("a"), model("b" if renamed else "a")
    took = []
    for _ in range(3):  # the least: other work on the machine only adds
        started = time.process_time()
        found = layers_difference(before, after)
        took.append(time.process_time() - started)
    assert min(took) < 1.0
    assert found.layers_after_s == pytest.approx(after.sum_s)
    if not renamed:
        assert len(found.changes) == 5000


def built(*layers: Layer, seconds: float | None = None) -> Layers:
    return Layers(layers, "x", seconds)


def test_contributions_are_ranked_and_add_up_to_what_is_explained():
    before = built(layer("a", "a", us=10), layer("b", "b", us=20), layer("c", "c", us=5))
    after = built(layer("a", "a", us=50), layer("b", "b", us=10), layer("d", "d", us=10, kind="New"))
    found = layers_difference(before, after, before_s=100e-6, after_s=150e-6)
    assert [names_words(one) for one in found.changes] == ["a", "b", "d", "c"]
    assert [one.share for one in found.changes] == pytest.approx([0.8, -0.2, 0.2, -0.1])
    assert found.explained == pytest.approx(35 / 50)
    assert found.rest_s == pytest.approx(15e-6)
    assert found.largest(3) == pytest.approx(0.8)
    assert sum(one.share for one in found.changes) == pytest.approx(found.explained)
    sentence = explained_sentence(found)
    assert "explain 70\N{NO-BREAK SPACE}%" in sentence
    assert "+15.0 µs" in sentence


def test_the_sum_of_the_layers_does_not_claim_to_explain_itself():
    found = layers_difference(built(layer("a", "a", us=1)), built(layer("a", "a", us=2)))
    assert (found.whole, found.explained, found.rest_s) == ("layers", None, None)
    assert found.changes[0].share == pytest.approx(1.0)
    assert "the sum of the layers" in explained_sentence(found)


def test_the_profile_s_own_whole_is_used_where_nothing_better_is_known():
    before, after = built(layer("a", "a", us=1), seconds=5e-6), built(layer("a", "a", us=3), seconds=9e-6)
    found = layers_difference(before, after)
    assert (found.whole, found.explained) == ("profile", pytest.approx(0.5))


def test_without_a_change_there_are_no_shares():
    same = built(layer("a", "a", us=1), seconds=5e-6)
    found = layers_difference(same, same)
    assert (found.changes[0].share, found.explained, found.largest(1)) == (None, None, None)


def test_without_times_the_most_different_comes_first():
    before = built(layer("a", "a", tactic="x"), layer("b", "b", precision="fp16", tactic="x"))
    after = built(layer("a", "a", tactic="x"), layer("b", "b", precision="fp32", tactic="y"))
    found = layers_difference(before, after)
    assert [details_words(one) for one in found.changes] == ["precision fp16 → fp32; tactic x → y", ""]
    assert explained_sentence(found).startswith("No times")


def test_what_differs_is_told_of_fused_layers_too():
    before = built(layer("c", "c", us=5, precision="fp16"), layer("r", "r", us=5, precision="fp16"))
    after = built(layer("cr", "c", "r", us=4, precision="int8"))
    (change,) = layers_difference(before, after).changes
    assert details_words(change) == "2 layers fused into 1; precision fp16 → int8"
    (change,) = layers_difference(after, before).changes
    assert details_words(change) == "1 layer split into 2; precision int8 → fp16"
    assert (change.before_s, change.after_s) == pytest.approx((4e-6, 10e-6))


def test_an_untimed_side_has_no_share():
    before, after = built(layer("a", "a", us=5), seconds=1e-5), built(layer("a", "a"), seconds=2e-5)
    assert layers_difference(before, after).changes[0].share is None
