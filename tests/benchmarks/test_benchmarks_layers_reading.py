"""Readers of layers: what each profiler writes, recognised and brought into the common form."""

import gzip
import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks.layers import Layer, Layers, UnknownFormatError, layers_parse, layers_read
from benchmarks.layers.graph import Node, origins_refine
from benchmarks.layers.layer import middle
from benchmarks.layers.stored import stored_write

DATA = Path(__file__).parent / "data" / "layers"
has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))


def parsed(content, **told) -> Layers:
    return layers_parse(json.dumps(content).encode(), name="a.json", **told)


def test_tensorrt_10_and_11_spell_the_same_layer_alike():
    ten, eleven = (layers_read(DATA / f"inspector-{version}.json").layers[1] for version in (10, 11))
    assert ten.origins == eleven.origins == {"node_Conv_69", "node_relu"}
    assert ten.shapes == eleven.shapes == "1x3x32x32 → 1x16x32x32"
    assert (ten.precision, eleven.precision) == ("fp16", "fp32")
    assert ten.tactic.startswith("sm90_xmma")
    assert (ten.kind, eleven.kind) == ("CaskConvolution", "correlation")


def test_a_reformat_has_no_origin_and_both_its_precisions():
    first = layers_read(DATA / "inspector-10.json").layers[0]
    assert (first.origins, first.precision) == (frozenset(), "fp32 → fp16")


def test_the_text_of_a_real_build_log_is_read_as_the_inspector():
    found = layers_read(DATA / "rtx-1.7.1.116-tiny-cnn.log")
    assert [layer.kind for layer in found.layers] == ["kgen", *["correlation"] * 4, *["kgen"] * 3]
    assert found.layers[4].origins == {"node_Conv_78", "node_relu_3"}
    assert found.layers[4].shapes == "1x64x8x8 → 1x64x8x8"
    assert found.layers[5].tactic == "__myl_TranMean_0xb33f315d5419e033570fe6221bf3d09a"
    assert {layer.precision for layer in found.layers} == {"fp32"}
    assert not found.timed


@pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")
def test_the_log_of_an_engine_built_now_tells_its_layers(tmp_path):
    from benchmarks.cases import ModelSource
    from benchmarks.engines import engine_build
    from benchmarks.export import model_export
    from benchmarks.models.source import model_load

    model = model_load(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", None)
    onnx = model_export(model, tmp_path / "net.onnx").onnx
    built = engine_build(
        runner="tensorrt_rtx",
        onnx=onnx,
        target=tmp_path / "net.engine",
        example_shapes=tuple(tuple(tensor.shape) for tensor in model.example),
        batches=(1,),
    )
    origins = {one for layer in layers_read(built.log.path).layers for one in layer.origins}
    assert {"node_relu", "node_relu_3", "node_linear"} <= origins


def test_times_beside_the_inspector_are_taken(tmp_path):
    for name, source in (("layers", "inspector-10"), ("layer-times", "inspector-10-times")):
        (tmp_path / f"net.engine.b1.{name}.json").write_bytes((DATA / f"{source}.json").read_bytes())
    found = layers_read(tmp_path / "net.engine.b1.layers.json")
    assert [layer.seconds for layer in found.layers] == [4e-6, 2.1e-5, 1.4e-5]


def test_layers_of_one_name_share_what_the_profiler_summed():
    times = json.dumps([{"layer": "copy", "seconds": 4e-6}, {"layer": "new", "seconds": 1e-6}]).encode()
    found = parsed({"Layers": ["copy", "copy"], "Bindings": []}, times=times)
    assert [(layer.name, layer.seconds) for layer in found.layers] == [
        ("copy", 2e-6),
        ("copy", 2e-6),
        ("new", 1e-6),
    ]


def test_times_alone_name_the_nodes_of_fused_layers():
    rows = [{"count": 10}, {"name": "conv1 + PWN(bn1, relu1)", "timeMs": 3.0, "averageMs": 0.3}]
    with pytest.raises(UnknownFormatError):
        parsed(rows[:1])
    (layer,) = parsed(rows).layers
    assert layer.origins == {"conv1", "bn1", "relu1"}
    assert layer.seconds == pytest.approx(3e-4)


def test_engines_without_details_have_names_alone():
    names = ["a + b", "Reformatting CopyNode for Output Tensor 0 to a + b", "{ForeignNode[c...d]}"]
    found = parsed({"Layers": names, "I/O Tensors": []})
    assert [layer.origins for layer in found.layers] == [{"a", "b"}, frozenset(), {"c", "d"}]


def node(name: str, start: int, length: int, op: str = "Conv", tid: int = 1) -> dict:
    told = {"op_name": op, "provider": "CPUExecutionProvider", "input_type_shape": [{"float": [1, 3]}]}
    return {
        "cat": "Node", "ph": "X", "tid": tid, "ts": start, "dur": length,
        "name": f"{name}_kernel_time", "args": {**told, "output_type_shape": [{"float16": [1, 4]}]},
    }  # fmt: skip


def run(start: int, length: int) -> dict:
    return {
        "cat": "Session",
        "ph": "X",
        "tid": 1,
        "ts": start,
        "dur": length,
        "name": "model_run",
        "args": {},
    }


def test_onnxruntime_counts_the_runs_after_the_first():
    runs = [run(0, 1000), run(2000, 100), run(3000, 120)]
    nodes = [node("a", 10, 900), node("a", 2010, 40), node("a", 3010, 60), node("b", 3080, 10, "Relu")]
    found = parsed([*nodes, *runs])
    assert {layer.name: layer.seconds for layer in found.layers} == pytest.approx({"a": 50e-6, "b": 5e-6})
    assert found.seconds == pytest.approx(110e-6)
    assert found.layers[0] == Layer(
        "a", "Conv", frozenset({"a"}), found.layers[0].seconds, "fp32 → fp16", "CPU", "1x3 → 1x4"
    )


def test_onnxruntime_charges_a_loop_without_its_body():
    found = parsed([node("loop", 0, 100, "Loop"), node("body", 10, 70), node("other", 110, 5)])
    assert [layer.seconds for layer in found.layers] == pytest.approx([30e-6, 70e-6, 5e-6])


@pytest.mark.parametrize(
    ("name", "op", "origins"),
    [
        ("relu_nchwc", "Conv", {"n_conv", "n_bn", "n_relu"}),
        ("fused n_conv", "FusedConv", {"n_conv", "n_bn", "n_relu"}),
        ("n_add/MatMulScaleFusion/", "Add", {"n_add"}),
        ("ReorderOutput", "ReorderOutput", set()),
    ],
)
def test_fused_nodes_of_onnxruntime_find_what_they_were_fused_from(name, op, origins):
    graph = [
        Node("n_conv", "Conv", ("x", "w"), ("c",)),
        Node("n_bn", "BatchNormalization", ("c",), ("b",)),
        Node("n_relu", "Relu", ("b",), ("relu",)),
        Node("n_add", "Add", ("relu", "x"), ("y",)),
    ]
    told = parsed([node(name, 0, 5, op), node("n_add", 6, 5, "Add")])
    assert origins_refine(told, graph).layers[0].origins == origins


def span(name: str, start: float, length: float, cat: str = "user_annotation", **told) -> dict:
    return {"ph": "X", "cat": cat, "name": name, "ts": start, "dur": length, "tid": 7, "args": told}


def trace(*events: dict) -> dict:
    return {"schemaVersion": 1, "traceEvents": [{"ph": "M", "name": "process_name"}, *events]}


def forward(at: float) -> list[dict]:
    """One inference: a container that adds by itself, and a linear layer whose operators nest."""
    told = {"Input type": ["c10::Half", "c10::Half", "Scalar"], "Input Dims": [[2, 8], [8], []]}
    return [
        span("inference", at, 100),
        span("module:  (Net)", at + 1, 90),
        span("module: fc (Linear)", at + 5, 50),
        span("aten::linear", at + 10, 20, "cpu_op", **told),
        span("aten::addmm", at + 12, 15, "cpu_op"),
        span("aten::add", at + 70, 8, "cpu_op"),
    ]


def test_a_trace_of_torch_is_read_by_module_without_what_lies_below():
    found = parsed(trace(*forward(0), *forward(200)))
    assert [(layer.name, layer.kind) for layer in found.layers] == [("(model)", "Net"), ("fc", "Linear")]
    assert [layer.seconds for layer in found.layers] == pytest.approx([8e-6, 20e-6])
    assert found.layers[1].precision == "fp16"
    assert found.layers[1].tactic == "aten::linear"
    assert found.seconds == pytest.approx(100e-6)


def test_kernels_belong_to_the_module_that_launched_them():
    launch = [span("cudaLaunchKernel", 15 + at, 2, "cuda_runtime", correlation=at) for at in (0, 200)]
    kernels = [span("gemm", 500 + at, 30, "kernel", correlation=at) for at in (0, 200)]
    stray = span("other", 900, 99, "kernel", correlation=77)
    found = parsed(trace(*forward(0), *forward(200), *launch, *kernels, stray))
    (layer,) = found.layers
    assert (layer.name, layer.tactic) == ("fc", "gemm")
    assert layer.seconds == pytest.approx(30e-6)
    assert found.seconds == pytest.approx(30e-6)


def test_a_trace_without_modules_is_read_by_operator():
    ops = [
        span("aten::mm", 1, 5, "cpu_op"),
        span("aten::mul", 2, 1, "cpu_op"),
        span("aten::mm", 8, 7, "cpu_op"),
    ]
    (layer,) = parsed(trace(span("ProfilerStep#3", 0, 50), *ops)).layers
    assert (layer.name, layer.seconds) == ("aten::mm", pytest.approx(12e-6))


def test_the_common_form_survives_being_written():
    layers = Layers((Layer("a", "Conv", frozenset("xy"), 1e-6, "fp16", "t", "1 → 2"), Layer("b")), "me", 2e-6)
    written = stored_write(layers)
    assert layers_parse(written, name="a") == layers
    assert written == stored_write(layers)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "no profiler known here"),
        (b"[1, 2]", "no profiler known here"),
        (b"nonsense", "is no JSON"),
        (b"\x80\x81", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (gzip.compress(b"{}" * 500)[:-9], "damaged gzip"),
        (b'{"format": "perfsite-layers/9"}', "this version reads"),
        (b'{"schemaVersion": 1, "traceEvents": 5}', "looks like torch"),
        (b'{"schemaVersion": 1, "traceEvents": [{"ph": "X", "dur": 1}]}', "looks like torch"),
        (b'[{"cat": "Node", "name": "a_kernel_time", "ts": 1}]', "looks like onnxruntime"),
    ],
)
def test_bad_files_say_what_is_wrong(data, words):
    with pytest.raises(ValueError, match=words):
        layers_parse(data, name="a.json")


def test_a_file_that_unpacks_to_more_than_allowed_is_refused():
    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        layers_parse(gzip.compress(b" " * 10_000), name="a", most_bytes=1000)


def test_one_outlier_does_not_move_the_middle():
    assert middle([1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 900.0]) == pytest.approx(2.25)
    assert middle([4.0]) == 4.0
