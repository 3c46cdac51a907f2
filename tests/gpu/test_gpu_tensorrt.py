"""The TensorRT adapter on a real GPU, over a stand-in of the library.

TensorRT itself is not there: the stand-in multiplies its input by a weight, with torch, at the addresses
and on the stream it is given.  What is real here is all that surrounds the library: buffers, streams,
graphs, events, the order of calls and the lifetimes that TensorRT asks for.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

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

VERSION = (10, 16, 1, 11)
WIDTH, LARGEST = 8, 4
BATCHES = (1, 2, LARGEST)  # of the engine's profiles
REFUSAL = "not compatible, expecting library version 10.16.1.11 got 10.16.1.12, please rebuild."


def view(pointer: int, shape: tuple[int, ...]):
    """A float32 tensor over device memory that somebody else holds (the CUDA array interface)."""
    facts = {"data": (pointer, False), "shape": shape, "typestr": "<f4", "version": 3}
    return torch.as_tensor(SimpleNamespace(__cuda_array_interface__=facts), device="cuda")


class Library:
    """As much of the module as the adapter uses; `calls` and `freed` tell what happened, in order."""

    __version__ = ".".join(map(str, VERSION))
    TensorIOMode = SimpleNamespace(INPUT=0, OUTPUT=1)
    LayerInformationFormat = SimpleNamespace(JSON=1)
    ExecutionContextAllocationStrategy = SimpleNamespace(ON_PROFILE_CHANGE=1)

    class ILogger:
        pass

    class IProfiler:
        pass

    def __init__(self):
        self.calls, self.freed, self.profiles = [], [], []
        self.refittable, self.capturable, self.refusing = True, True, False
        self.Runtime = lambda logger: Runtime(self, logger)
        self.Refitter = lambda engine, logger: Refitter(self, engine)
        self.OnnxParserRefitter = lambda refitter, logger: RefitParser(refitter)


class Runtime:
    def __init__(self, library, logger):
        self.library, self.logger = library, logger

    def deserialize_cuda_engine(self, plan):
        if self.library.refusing:
            self.logger.log(1, REFUSAL)
            return None
        return Engine(self.library, float(plan[-1]))

    def __del__(self):
        self.library.freed.append("runtime")


class Engine:
    num_io_tensors, num_layers, num_optimization_profiles = 2, 1, len(BATCHES)

    def __init__(self, library, weight):
        self.library, self.weight = library, torch.full((1,), weight, device="cuda")
        self.refittable = library.refittable

    def get_tensor_name(self, position):
        return "xy"[position]

    def get_tensor_mode(self, name):
        return "xy".index(name)

    def get_tensor_dtype(self, name):
        return SimpleNamespace(name="FLOAT")

    def get_tensor_shape(self, name):
        return (-1, WIDTH)

    def get_tensor_profile_shape(self, name, profile):
        return [(1, WIDTH), (BATCHES[profile], WIDTH), (BATCHES[profile], WIDTH)]

    def get_device_memory_size_for_profile_v2(self, profile):
        return 4096 * BATCHES[profile]

    def create_execution_context(self, strategy):
        assert strategy == self.library.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE
        self.library.calls.append("context")
        return Context(self.library, self.weight)

    def create_engine_inspector(self):
        return SimpleNamespace(get_engine_information=lambda form: '{"Layers": ["mul"]}')

    def __del__(self):
        self.library.freed.append("engine")


class Context:
    profiler = None

    def __init__(self, library, weight):
        self.library, self.weight, self.shape, self.at = library, weight, None, {}
        self.active_optimization_profile = 0

    def set_optimization_profile_async(self, profile, handle):
        self.active_optimization_profile, self.shape = profile, None
        self.library.profiles.append(profile)
        return True

    def set_input_shape(self, name, shape):
        self.shape = shape
        return shape[0] <= BATCHES[self.active_optimization_profile]

    def get_tensor_shape(self, name):
        return self.shape

    def infer_shapes(self):
        return []

    def set_tensor_address(self, name, pointer):
        self.at[name] = view(pointer, self.shape)

    def execute_async_v3(self, handle):
        stream = torch.cuda.ExternalStream(handle)
        with torch.cuda.stream(stream):
            capturing = torch.cuda.is_current_stream_capturing()
            self.library.calls.append("recorded" if capturing else "executed")
            if capturing and not self.library.capturable:
                return False
            torch.mul(self.at["x"], self.weight, out=self.at["y"])
        if self.profiler is not None:
            self.library.calls.append("profiled")
            stream.synchronize()
            self.profiler.report_layer_time("mul", 0.5)
        return True

    def __del__(self):
        self.library.freed.append("context")


class Refitter:
    def __init__(self, library, engine):
        self.library, self.engine, self.weight = library, engine, None

    def get_missing_weights(self):
        return []

    def refit_cuda_engine_async(self, handle):
        with torch.cuda.stream(torch.cuda.ExternalStream(handle)):
            self.engine.weight.fill_(self.weight)
        return True


class RefitParser:
    num_errors = 0

    def __init__(self, refitter):
        self.refitter = refitter

    def refit_from_file(self, path):
        content = Path(path).read_bytes()
        self.refitter.weight = float(content[-1]) if content else None
        return bool(content)


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
