"""What is held against an engine before it is deserialised: digest, release, compute capability."""

import importlib.util
from pathlib import Path

import pytest

from benchmarks.artifacts import Artifact
from benchmarks.cases import ModelSource
from benchmarks.cli.main import main
from benchmarks.engines import check
from benchmarks.engines.check import engine_checked, engine_file_check, header_version, refusal_words
from benchmarks.engines.sidecar import Sidecar, sidecar_path, sidecar_write
from benchmarks.errors import CannotRun, IntegrityError
from benchmarks.runners.base import Assets
from benchmarks.runners.table import runner_open

has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
needs_rtx = pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")


def plan(path: Path, version: tuple[int, int, int, int], tag: bytes = b"ftrt") -> Artifact:
    """The first bytes of an engine as NVIDIA's trtexec reads them, and some more."""
    path.write_bytes(tag + bytes(20) + bytes(version) + b"kernels")
    return Artifact.seal(path, "engine")


def noted(engine: Artifact, **facts) -> Artifact:
    known = {"engine_sha256": engine.sha256, "library": "tensorrt", "version": "10.16.1.11", **facts}
    sidecar_write(engine.path, Sidecar(**known))
    return engine


def test_an_engine_of_the_same_release_is_let_through(tmp_path):
    engine = plan(tmp_path / "a.engine", (10, 16, 1, 11))
    assert engine_checked(engine, runner="tensorrt", version="10.16.1.11") == engine.path
    noted(engine)
    assert engine_checked(engine, runner="tensorrt", version="10.16.1.11") == engine.path


def test_a_changed_engine_is_refused_with_both_digests(tmp_path):
    engine = noted(plan(tmp_path / "a.engine", (10, 16, 1, 11)))
    engine.path.write_bytes(engine.path.read_bytes() + b"\0")
    found = Artifact.seal(engine.path, "engine")
    for given in (engine, found):  # announced with the old digest, or taken as it is beside its old note
        with pytest.raises(IntegrityError) as refused:
            engine_checked(given, runner="tensorrt", version="10.16.1.11")
        assert engine.sha256 in str(refused.value)
        assert found.sha256 in str(refused.value)


@pytest.mark.parametrize("with_note", [True, False])
def test_another_release_is_refused_with_both_versions(tmp_path, with_note):
    engine = plan(tmp_path / "a.engine", (10, 16, 1, 11))
    if with_note:
        noted(engine)
    with pytest.raises(CannotRun, match=r"tensorrt 10\.16\.1\.11, and this is tensorrt 11\.4\.0\.106"):
        engine_checked(engine, runner="tensorrt", version="11.4.0.106")


@pytest.mark.parametrize("with_note", [True, False])
def test_the_other_librarys_engine_is_refused(tmp_path, with_note):
    engine = plan(tmp_path / "a.engine", (1, 7, 1, 116), b"vtrt")
    if with_note:
        noted(engine, library="tensorrt_rtx", version="1.7.1.116")
    with pytest.raises(CannotRun, match=r"tensorrt_rtx 1\.7\.1\.116, and this is tensorrt 10"):
        engine_checked(engine, runner="tensorrt", version="10.16.1.11")


def test_a_plan_for_several_releases_is_left_to_the_library(tmp_path):
    engine = plan(tmp_path / "a.engine", (10, 8, 0, 43), b"vtrt")
    assert engine_checked(engine, runner="tensorrt", version="10.16.1.11")
    older = plan(tmp_path / "b.engine", (1, 6, 0, 1), b"vtrt")
    with pytest.raises(CannotRun, match=r"1\.6\.0\.1"):
        engine_checked(older, runner="tensorrt_rtx", version="1.7.1.116")


def test_another_gpu_is_refused_with_both_capabilities(tmp_path, monkeypatch):
    engine = noted(plan(tmp_path / "a.engine", (10, 16, 1, 11)), compute_capability="8.6")
    monkeypatch.setattr(check, "capability_here", lambda: "9.0")
    with pytest.raises(CannotRun, match=r"capability 8\.6, and this GPU has 9\.0"):
        engine_checked(engine, runner="tensorrt", version="10.16.1.11")
    monkeypatch.setattr(check, "capability_here", lambda: "8.6")
    assert engine_checked(engine, runner="tensorrt", version="10.16.1.11")


def test_a_damaged_note_is_refused_by_name(tmp_path):
    engine = plan(tmp_path / "a.engine", (10, 16, 1, 11))
    sidecar_path(engine.path).write_text('{"format": 7}')
    with pytest.raises(IntegrityError, match=r"a\.engine\.json is no note of an engine"):
        engine_checked(engine, runner="tensorrt", version="10.16.1.11")


@pytest.mark.parametrize("header", [b"", b"ftrt", b"ELF!" + bytes(30), b"ftrt\1\0\0\0" + bytes(30)])
def test_what_is_no_known_header_tells_nothing(header):
    assert header_version(header) is None


@pytest.mark.parametrize(
    ("runner", "content", "words"),
    [
        ("tensorrt_rtx", b"", "it is empty"),
        ("tensorrt_rtx", b"not an engine", "its 13 bytes are fewer than an engine's header"),
        ("tensorrt", b"ELF!" + bytes(60), "it begins with b'ELF!'"),
        ("tensorrt_rtx", b"ftrt" + bytes(60), "which no engine of tensorrt_rtx does"),
    ],
)
def test_a_file_that_is_no_engine_ends_the_command_with_2(
    tmp_path, monkeypatch, capfd, runner, content, words
):
    monkeypatch.chdir(tmp_path)
    Path("x.engine").write_bytes(content)
    arguments = ["run", "--engine", "x.engine", "--runner", runner, "--suite", "build", "--no-canary"]
    assert main(arguments) == 2
    told = capfd.readouterr()
    assert f"x.engine is no engine of {runner}: " in told.err
    assert words in told.err
    assert "build the engine anew" in told.err
    assert told.out == ""


def test_a_file_with_a_known_header_passes_for_an_engine(tmp_path):
    exact = plan(tmp_path / "a.engine", (10, 16, 1, 11)).path
    compatible = plan(tmp_path / "b.engine", (1, 7, 1, 116), b"vtrt").path
    assert engine_file_check(exact, ["tensorrt"]) is None
    assert engine_file_check(compatible, ["tensorrt", "tensorrt_rtx"]) is None


def test_the_librarys_refusal_names_both_sides():
    """Messages that TensorRT 8.5 and 7 gave (AI-Aimbot issue 109, NVIDIA/TensorRT issue 564)."""
    release = refusal_words(
        "a.engine",
        "The engine plan file is not compatible with this version of TensorRT, "
        "expecting library version 8.5.1.7 got 8.5.3.1, please rebuild.",
    )
    assert "built by TensorRT 8.5.3.1, and this is TensorRT 8.5.1.7" in release
    device = refusal_words(
        "a.engine",
        "The engine plan file is generated on an incompatible device, "
        "expecting compute 6.1 got compute 7.5, please rebuild.",
    )
    assert "built for compute capability 7.5, and this GPU has 6.1" in device
    assert refusal_words("a.engine", "Magic tag").endswith("refuses a.engine: Magic tag")


def relu_engine(folder: Path) -> Artifact:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from benchmarks.engines import engine_build

    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", rows[:1], rows[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "relu.onnx")
    source = Artifact.seal(folder / "relu.onnx", "onnx")
    return engine_build(
        runner="tensorrt_rtx",
        onnx=source,
        target=folder / "relu.engine",
        example_shapes=((1, 8),),
        batches=(1,),
    ).engine


def opened(engine: Artifact, folder: Path) -> None:
    source = ModelSource(kind="engine", ref=engine.path.name)
    with runner_open("tensorrt_rtx", Assets(source, folder, "fp32", "cpu", 1, engine=engine)):
        pass


@needs_rtx
def test_a_real_engines_header_tells_its_release(tmp_path):
    from benchmarks.runners.tensorrt_library import library_import

    engine = relu_engine(tmp_path)
    version = library_import("tensorrt_rtx").__version__
    assert header_version(engine.path.read_bytes()[: check.HEADER_BYTES]) == (version, True)


@needs_rtx
def test_a_real_engine_is_checked_before_the_machine_is_blamed(tmp_path):
    engine = relu_engine(tmp_path)
    with pytest.raises(CannotRun, match="needs an NVIDIA GPU"):
        opened(engine, tmp_path)
    sidecar_path(engine.path).unlink()
    with pytest.raises(CannotRun, match="needs an NVIDIA GPU"):
        opened(engine, tmp_path)
    content = bytearray(engine.path.read_bytes())
    content[25] -= 1  # the minor release in the header
    engine.path.write_bytes(content)
    with pytest.raises(IntegrityError):
        opened(engine, tmp_path)
    with pytest.raises(CannotRun, match="was built by tensorrt_rtx"):
        opened(Artifact.seal(engine.path, "engine"), tmp_path)


@needs_rtx
def test_the_library_itself_refuses_a_damaged_header(tmp_path):
    """On a machine without a GPU it finds every engine unfit; of a damaged one it says why."""
    from benchmarks.runners.tensorrt_library import library_import, log_kept
    from benchmarks.runners.tensorrt_rtx import plan_checked

    rtx = library_import("tensorrt_rtx")
    with log_kept(rtx) as (logger, _), pytest.raises(CannotRun, match="it is damaged"):
        plan_checked(rtx, rtx.Runtime(logger), b"x" * 1000, "a.engine")
