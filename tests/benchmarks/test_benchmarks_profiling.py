"""Profiles of real runners on the processor: what they leave, what aligns, what is refused."""

import json
import os
import stat
from pathlib import Path

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.cli.main import main
from benchmarks.errors import ModelError
from benchmarks.layers import Layer, Layers, layers_difference, layers_parse, layers_read
from benchmarks.layers.stored import stored_write
from benchmarks.profiling import profile_report, profile_take
from benchmarks.profiling import take as taking
from benchmarks.profiling.nsight import nsight_record
from benchmarks.report import Report
from benchmarks.runners.base import Assets

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")

WIDER = '''
import torch
from torch import nn

class Net(nn.Module):
    """Two convolutions; the second can be made slower."""

    def __init__(self, width):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(16, width, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(width, 4, 1)

    def forward(self, x):
        return self.head(self.middle(self.stem(x)))

def narrow():
    torch.manual_seed(0)
    return Net(16), torch.randn(1, 3, 64, 64)

def wide():
    torch.manual_seed(0)
    return Net(256), torch.randn(1, 3, 64, 64)
'''


def ignore(*_: object) -> None:
    """Nobody listens."""


def case(runner: str, **fields) -> Case:
    return Case(**{"model": "tiny-cnn", "runner": runner, "suite": "latency", **fields})


def reported(folder: Path, *cases: Case, source: ModelSource = CNN, side: str = "") -> Report:
    return profile_report(
        source,
        model=cases[0].model,
        precision=cases[0].precision,
        cases=cases,
        checkout=folder,
        workdir=folder / "work",
        on_progress=ignore,
        side=side,
        device="cpu",
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    return reported(folder, case("torch"), case("onnxruntime", batch=2), side="good"), folder / "work"


def test_a_profile_leaves_the_layers_and_the_profilers_own_file(both):
    report, folder = both
    assert [one.name for one in report.artifacts] == [
        "good.torch.b1.layers.json.gz",
        "good.torch.b1.trace.json.gz",
        "good.onnxruntime.b2.layers.json.gz",
        "good.onnxruntime.b2.trace.json.gz",
    ]
    assert {one.kind for one in report.artifacts} == {"profile"}
    assert [one.status for one in report.outcomes] == ["done", "done"]
    assert report.measurements == ()
    assert not list(folder.glob("profile-*"))


def test_torch_tells_every_module_by_its_path(both):
    found = layers_read(both[1] / "good.torch.b1.layers.json.gz")
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["0.0"].kind == "Conv2d"
    assert by_name["0.0"].precision == "fp32"
    assert by_name["6"].kind == "Linear"
    assert found.seconds >= found.sum_s > 0


def test_onnxruntime_names_the_nodes_that_its_fused_layers_came_from(both):
    found = layers_read(both[1] / "good.onnxruntime.b2.layers.json.gz")
    origins = {one for layer in found.layers for one in layer.origins}
    assert {f"node_relu{suffix}" for suffix in ("", "_1", "_2", "_3")} <= origins
    assert sum(one.startswith("node_Conv") for one in origins) == 4
    assert found.layers[0].shapes.startswith("2x3x32x32")
    assert found.seconds >= found.sum_s > 0


def test_the_profilers_own_files_can_be_read_too(both):
    for runner, batch in (("torch", 1), ("onnxruntime", 2)):
        own = layers_read(both[1] / f"good.{runner}.b{batch}.trace.json.gz")
        stored = layers_read(both[1] / f"good.{runner}.b{batch}.layers.json.gz")
        assert [layer.name for layer in own.layers] == [layer.name for layer in stored.layers]


@pytest.mark.parametrize(("runner", "origin"), [("torch", "middle.0"), ("onnxruntime", "node_conv2d_1")])
def test_the_layer_that_was_made_slower_explains_the_change(tmp_path, runner, origin):
    (tmp_path / "net.py").write_text(WIDER)
    found = []
    for function in ("narrow", "wide"):
        source = ModelSource(kind="entry", ref=f"net.py:{function}")
        report = reported(tmp_path, case(runner, model="net"), source=source, side=function)
        found.append(layers_read(tmp_path / "work" / report.artifacts[0].name))
    first = layers_difference(*found).changes[0]
    assert origin in {one for layer in first.group.before for one in layer.origins}
    assert first.group.how == "origin"
    assert first.share > 0
    assert "shapes" in {one.what for one in first.details}


def test_what_cannot_run_here_is_skipped_with_its_reason(tmp_path):
    report = reported(tmp_path, case("tensorrt_rtx"), case("onnxruntime"))
    assert [one.status for one in report.outcomes] == ["skipped", "done"]
    assert report.outcomes[0].reason


def test_a_model_that_does_not_load_fails_the_whole(tmp_path):
    with pytest.raises(ModelError):
        reported(tmp_path, case("torch", model="x"), source=ModelSource(kind="entry", ref="no.py:f"))


def test_a_case_of_another_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is no case of tiny-bert"):
        profile_take(
            CNN,
            model="tiny-bert",
            precision="fp32",
            case=case("torch"),
            checkout=tmp_path,
            workdir=tmp_path,
            on_progress=ignore,
        )


def test_a_file_that_is_too_large_is_left_out_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(taking, "MOST_BYTES", 100)
    report = reported(tmp_path, case("onnxruntime"))
    assert [one.name for one in report.artifacts] == ["onnxruntime.b1.layers.json.gz"]
    (remark,) = report.remarks
    assert remark.code == "profile-too-large"


@pytest.fixture
def nsys(tmp_path, monkeypatch):
    """A stand-in of `nsys` that notes how it was called, and behaves as its script says."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def behave(script: str) -> Path:
        tool = folder / "nsys"
        tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n{script}\n')
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "called"

    return behave


ASSETS = Assets(CNN, Path(), "fp32", "cuda", 1)


def test_nsight_systems_is_told_to_trace_a_bounded_range(tmp_path, nsys):
    called = nsys(f"echo trace > {tmp_path}/trace.nsys-rep")
    assert nsight_record("torch", ASSETS, 1, tmp_path).read_text() == "trace\n"
    words = called.read_text()
    assert words.startswith("profile ")
    assert "--capture-range=cudaProfilerApi" in words
    assert "-m benchmarks.profiling.nsight" in words


@pytest.mark.parametrize("script", ["echo no driver >&2; exit 3", "echo no driver"])
def test_nsight_systems_that_fails_says_why(tmp_path, nsys, script):
    nsys(script)
    with pytest.raises(OSError, match="no driver"):
        nsight_record("torch", ASSETS, 1, tmp_path)


def test_the_command_line_profiles_in_a_process_of_its_own(tmp_path):
    told = ["--runner", "onnxruntime", "--device", "cpu", "--side", "good", "--out", str(tmp_path)]
    assert main(["profile", "--model", "tiny-cnn", *told]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"good.onnxruntime.b1.{what}.json.gz" for what in ("layers", "trace")]


def test_the_command_line_ranks_what_differs(tmp_path, capfd):
    def written(name: str, slow_us: float, seconds: float) -> str:
        layers = [Layer(f"l{place}", "Conv", frozenset({f"n{place}"}), 1e-6) for place in range(8)]
        layers[5] = Layer("l5", "Conv", frozenset({"n5"}), slow_us * 1e-6)
        path = tmp_path / name
        path.write_bytes(stored_write(Layers(tuple(layers), "torch", seconds)))
        return str(path)

    paths = [written("a.json.gz", 1, 20e-6), written("b.json.gz", 9, 30e-6)]
    assert main(["layers", *paths, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["whole"], found["explained"]) == ("profile", pytest.approx(0.8))
    assert found["changes"][0]["before"][0]["name"] == "l5"
    assert main(["layers", *paths, "--top", "2", "--before", "1e-5", "--after", "5e-5"]) == 0
    words = capfd.readouterr().out
    assert "6 more groups, together +0 ns" in words
    assert "measured without a profiler" in words
    assert "All layers together explain 20" in words


def test_the_command_line_says_what_it_cannot_read(tmp_path, capfd):
    strange = tmp_path / "a.json"
    strange.write_text("{}")
    assert main(["layers", str(strange), str(strange)]) == 2
    assert "no profiler known here" in capfd.readouterr().err
    assert main(["layers", str(strange), str(strange), "--before", "1"]) == 2
    assert "belong together" in capfd.readouterr().err
    assert (
        main(["profile", "--model", "tiny-cnn", "--out", str(tmp_path), "--option", "workspace_mib=1"]) == 2
    )


def test_the_layers_of_a_model_survive_the_journey(both):
    stored = (both[1] / "good.torch.b1.layers.json.gz").read_bytes()
    assert layers_parse(stored, name="a").form == "torch profiler, operators"
