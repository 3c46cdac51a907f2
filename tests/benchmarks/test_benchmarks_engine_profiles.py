"""One optimisation profile per batch: what is built for a batch does not depend on the other cases."""

import importlib.util
from types import SimpleNamespace

import pytest
from onnx import TensorProto, helper

from benchmarks.cases import Case
from benchmarks.engines.profiles import profiles_add
from benchmarks.errors import MeasureError
from benchmarks.prepare import _batches
from benchmarks.runners.tensorrt_library import library_import, log_kept
from benchmarks.runners.tensorrt_profiles import profile_find, profile_select
from benchmarks.serving.batching import batch_sizes

has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
needs_rtx = pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")


def case(suite: str = "latency", batch: int = 1, **options) -> Case:
    return Case(model="m", runner="tensorrt", suite=suite, batch=batch, options=options)


def built_for(batches: tuple[int, ...], shape=("batch", 8), example=((2, 8),)) -> list[list[tuple]]:
    """Smallest, best and largest shape of each profile, as TensorRT-RTX holds them; it builds them too."""
    trt = library_import("tensorrt_rtx")
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", rows[:1], rows[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    made = []

    def profile_make():
        made.append(builder.create_optimization_profile())
        return made[-1]

    with log_kept(trt) as (logger, _):
        builder = trt.Builder(logger)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, logger)
        assert parser.parse(model.SerializeToString())
        config = builder.create_builder_config()
        keeping = SimpleNamespace(create_optimization_profile=profile_make)
        profiles_add(keeping, network, config, example, batches)
        assert config.num_optimization_profiles == len(made)
        assert builder.build_serialized_network(network, config) is not None
        return [[tuple(bound) for bound in profile.get_shape("x")] for profile in made]


@needs_rtx
def test_each_batch_has_a_profile_that_is_tuned_for_it():
    assert built_for((8, 1, 4)) == [
        [(1, 8), (1, 8), (1, 8)],
        [(1, 8), (4, 8), (4, 8)],
        [(1, 8), (8, 8), (8, 8)],
    ]


@needs_rtx
def test_a_block_of_fewer_cases_builds_the_same_for_its_batch():
    job = [case(), case(batch=8), case("throughput", largest_batch=32), case("server", max_batch=6)]
    whole = built_for(_batches(job))
    for one in job:
        alone = built_for(_batches([one]))
        assert [profile for profile in whole if profile in alone] == alone


@needs_rtx
def test_a_fixed_batch_has_one_profile_and_a_fixed_graph_none():
    assert built_for((2,), ("batch", 8)) == [[(1, 8), (2, 8), (2, 8)]]
    assert built_for((1, 4), (2, "width")) == [[(2, 8)] * 3]  # dim 0 is the graph's own
    assert built_for((2,), (2, 8)) == []


def test_every_batch_that_a_suite_binds_is_among_them():
    assert _batches([case(batch=3), case()]) == (1, 3)
    assert _batches([case("server", 2, max_batch=6)]) == tuple(2 * size for size in batch_sizes(6))
    assert _batches([case("throughput", 3, largest_batch=40)]) == (3, 6, 12, 24)
    assert _batches([case("throughput", 8, largest_batch=4)]) == (8,)


class Engine:
    """An engine with one input besides a fixed one; `profiles` hold smallest, best and largest batch."""

    def __init__(self, *profiles: tuple[int, int, int]):
        self.profiles, self.num_optimization_profiles = profiles, len(profiles)

    def get_tensor_shape(self, name):
        return (-1, 8) if name == "x" else (8,)

    def get_tensor_profile_shape(self, name, place):
        assert name == "x"  # of a fixed input the library tells none
        return [(batch, 8) for batch in self.profiles[place]]


@pytest.mark.parametrize(("batch", "place"), [(1, 0), (4, 2), (8, 1), (2, 2), (5, 1)])
def test_the_profile_tuned_for_a_batch_runs_it_else_the_tightest(batch, place):
    engine = Engine((1, 1, 1), (1, 8, 8), (1, 4, 4))
    assert profile_find(engine, {"x": (batch, 8), "scale": (8,)}) == place


def test_the_best_shape_counts_more_than_a_tight_range():
    assert profile_find(Engine((1, 2, 4), (1, 4, 16)), {"x": (4, 8)}) == 1


def test_a_fixed_engine_has_its_one_profile():
    assert profile_find(Engine(), {"scale": (8,)}) == 0


def test_a_batch_that_no_profile_takes_is_told_with_all_that_are():
    words = r"from \(1, 8\) to \(1, 8\), or from \(1, 8\) to \(4, 8\), not \(5, 8\)"
    with pytest.raises(MeasureError, match=words):
        profile_find(Engine((1, 1, 1), (1, 4, 4)), {"x": (5, 8)})


def test_a_profile_is_there_before_anything_else_uses_the_stream():
    calls = []

    class Stream:
        cuda_stream = 7

        def synchronize(self):
            calls.append("waited")

    def choose(place, handle):
        calls.append((place, handle))
        return place == 1

    context = SimpleNamespace(set_optimization_profile_async=choose)
    engine = Engine((1, 1, 1), (1, 4, 4))
    profile_select(engine, context, {"x": (4, 8)}, Stream())
    assert calls == [(1, 7), "waited"]
    with pytest.raises(MeasureError, match="refuses its own optimisation profile 0"):
        profile_select(engine, context, {"x": (1, 8)}, Stream())
