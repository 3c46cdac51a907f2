"""The TensorRT adapter on a real GPU, over a stand-in of the library.

TensorRT itself is not there: the stand-in multiplies its input by a weight, with torch, at the addresses
and on the stream it is given.  What is real here is all that surrounds the library: buffers, streams,
graphs, events, the order of calls and the lifetimes that TensorRT asks for.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tensorrt_standin import LARGEST, VERSION, WIDTH, Library

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.engines import EngineBuild
from benchmarks.errors import CannotCapture, CannotRun, IntegrityError, MeasureError
from benchmarks.runners.base import Assets

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setattr("benchmarks.runners.tensorrt_runner.library_import", lambda runner: made)
    return made


def engine_file(path, weight=3):
    path.write_bytes(b"ftrt" + bytes(20) + bytes(VERSION) + bytes([weight]))
    return Artifact.seal(path, "engine")


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "model.onnx").write_bytes(bytes([7]))
    return Assets(
        source=ModelSource(kind="onnx", ref="model.onnx"),
        checkout=tmp_path,
        precision="fp32",
        device="cuda",
        threads=1,
        example=(np.arange(2 * WIDTH, dtype=np.float32).reshape(2, WIDTH),),
        onnx=Artifact.seal(tmp_path / "model.onnx", "onnx"),
        engine=engine_file(tmp_path / "model.engine"),
    )


def runner_of(assets):
    from benchmarks.runners.tensorrt_runner import TensorRTRunner

    return TensorRTRunner(assets)


def test_an_execution_reads_and_writes_torchs_buffers(library, assets):
    with runner_of(assets) as runner:
        for batch in (3, 1):
            runner.bind(batch)
            runner.infer()
            (rows,) = runner.outputs()
            wanted = assets.example[0][np.arange(batch) % 2] * 3
            assert np.array_equal(rows, wanted)
        assert library.profiles == [2, 0]  # 3 rows fit into that of 4, 1 row has its own
        assert runner.memory() == {"engine_context": 4096}
        runner.bind(2)
        assert runner.memory() == {"engine_context": 2 * 4096}
        assert runner.layer_count() == 1
        with pytest.raises(MeasureError, match=rf"\({LARGEST}, {WIDTH}\), not \(5, {WIDTH}\)"):
            runner.bind(5)


def test_a_bare_engine_gets_seeded_inputs(library, assets):
    outputs = []
    for _ in range(2):
        with runner_of(replace(assets, example=())) as runner:
            runner.bind(2)
            runner.infer()
            outputs.append(runner.outputs()[0])
    assert np.array_equal(*outputs)
    assert outputs[0].std() > 0


def test_a_capture_follows_executions_and_replays_new_inputs(library, assets):
    with runner_of(assets) as runner:
        runner.bind(2)
        assert not runner.captured
        runner.capture()
        assert runner.captured
        assert library.calls.index("executed") < library.calls.index("recorded")
        before = list(library.calls)
        runner.feed((np.full((2, WIDTH), 5, dtype=np.float32),))
        runner.submit()
        runner.wait()
        assert library.calls == before  # the graph ran, not the library
        assert np.array_equal(runner.outputs()[0], np.full((2, WIDTH), 15, dtype=np.float32))
        runner.bind(1)
        assert not runner.captured


def test_what_cannot_be_recorded_says_so_and_still_runs(library, assets):
    library.capturable = False
    with runner_of(assets) as runner:
        runner.bind(2)
        with pytest.raises(CannotCapture, match="could not enqueue"):
            runner.capture()
        runner.infer()
        assert np.array_equal(runner.outputs()[0], assets.example[0] * 3)
    with runner_of(replace(assets, options=(("graph", False),))) as runner:
        runner.bind(2)
        with pytest.raises(CannotCapture, match="switched CUDA graphs off"):
            runner.capture()


def test_layers_are_timed_in_a_context_of_their_own(library, assets):
    with runner_of(assets) as runner:
        runner.bind(2)
        runner.capture()
        library.calls.clear()
        assert runner.layer_times() == [("mul", 0.0005)]
        assert library.calls[0] == "context"
        assert "recorded" not in library.calls
        library.calls.clear()
        assert runner.captured
        runner.infer()
        assert library.calls == []  # neither the graph nor its context heard of the profiler
        assert runner.inspect() == '{"Layers": ["mul"]}'


def test_a_refit_exchanges_the_weights_and_drops_the_graph(library, assets):
    with runner_of(assets) as runner:
        runner.bind(2)
        runner.capture()
        runner.hot_update()
        assert not runner.captured
        runner.infer()
        assert np.array_equal(runner.outputs()[0], assets.example[0] * 7)
        assets.onnx.path.write_bytes(bytes([9]))
        with pytest.raises(IntegrityError):
            runner.hot_update()


def test_an_engine_that_cannot_be_refitted_says_how_to_build_one(library, assets):
    library.refittable = False
    with runner_of(assets) as runner, pytest.raises(CannotRun, match="refit=true"):
        runner.hot_update()


def test_what_depends_on_another_is_freed_before_it(library, assets):
    runner = runner_of(assets)
    runner.load()
    runner.bind(2)
    runner.capture()
    assert library.freed == []
    runner.close()
    assert library.freed == ["context", "engine", "runtime"]
    runner.close()


def test_a_refused_engine_names_both_versions_and_leaves_nothing_open(library, assets):
    library.refusing = True
    runner = runner_of(assets)
    with pytest.raises(
        CannotRun, match=r"built by TensorRT 10\.16\.1\.12, and this is TensorRT 10\.16\.1\.11"
    ):
        runner.load()
    assert library.freed == ["runtime"]


def test_the_build_suite_runs_every_rebuilt_engine(library, assets, tmp_path):
    from benchmarks.suites.base import Bench
    from benchmarks.suites.build import build_measure

    def built(path, weight):
        engine = engine_file(path, weight)
        return EngineBuild(engine=engine, seconds=1.0, version="10", log=engine, files=())

    case = Case(model="m", runner="tensorrt", suite="build", duration_s=0.2, options={"rebuilds": 3})
    weights = iter((4, 5))
    workshop = SimpleNamespace(rebuild=lambda case: built(tmp_path / "again.engine", next(weights)))
    first = EngineBuild(engine=assets.engine, seconds=1.0, version="10", log=assets.engine, files=())
    bench = Bench(case=case, assets=assets, build=first, workdir=tmp_path, workshop=workshop)
    findings = build_measure(bench)
    rows = {row.metric: row for row in findings.measurements}
    assert 0 <= rows["rebuild_time_spread"].value < 0.5
    assert rows["rebuild_size_spread"].value == 0
    assert rows["engine_layers"].value == 1
    assert rows["load_time"].value > 0
    assert {artifact.kind for artifact in findings.artifacts} == {"profile"}
    assert len(findings.artifacts) == 2
    assert [remark.code for remark in findings.remarks] == ["rebuilds-differ"]
