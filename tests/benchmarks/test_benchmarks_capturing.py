"""A CUDA graph or the reason why not: one way for all suites, and the memory's end is no reason."""

from types import SimpleNamespace

import pytest

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotCapture, CannotRun
from benchmarks.parallel import replicas
from benchmarks.runners.base import Assets, Runner
from benchmarks.suites import build, energy, memory
from benchmarks.suites.base import Bench, Findings
from benchmarks.suites.capturing import capture_reason, capture_try

CASE = Case(model="m", runner="tensorrt", suite="energy", duration_s=0.1)
FULL = "no CUDA graph of it: OutOfMemoryError: CUDA out of memory"
WAITS = "no CUDA graph of it: the model waits for the GPU"


class Refusing(Runner):
    """A runner with a stream that cannot be recorded, for `reason`."""

    name = "refusing"
    reason = WAITS

    def load(self):
        pass

    def bind(self, batch):
        pass

    def feed(self, arrays):
        pass

    def infer(self):
        pass

    def outputs(self):
        return ()

    def close(self):
        pass

    @property
    def stream(self):
        return object()

    def capture(self):
        raise CannotCapture(self.reason)


class Full(Refusing):
    reason = FULL


@pytest.fixture
def assets(tmp_path):
    return Assets(ModelSource(kind="catalogue", ref="tiny-cnn"), tmp_path, "fp32", "cpu", 1)


def test_a_reason_is_told_and_a_runner_without_a_gpu_needs_none(assets, monkeypatch):
    assert capture_reason(Refusing(assets)) == WAITS
    monkeypatch.setattr(Refusing, "stream", None)
    assert capture_reason(Refusing(assets)) == ""


def test_the_remark_holds_reason_consequence_and_remedy_once(assets):
    findings = Findings(CASE)
    for _ in range(2):
        capture_try(Refusing(assets), findings, "it takes longer")
    (remark,) = findings.remarks
    assert remark.code == "no-graph"
    assert remark.sentence == (
        f"{WAITS}; without a CUDA graph it takes longer: let the model run without waiting for the GPU"
    )


def in_energy(runner, assets, monkeypatch):
    monkeypatch.setattr(energy, "_counter_of", lambda bench: lambda: 0.0)
    monkeypatch.setattr(energy, "SETTLE_S", 0.0)
    monkeypatch.setattr(energy, "IDLE_S", 0.01)
    energy.energy_measure(Bench(CASE, assets, runner=runner))


def in_memory(runner, assets, monkeypatch):
    monkeypatch.setattr(memory, "runner_open", lambda name, given: runner)
    memory.memory_take("refusing", assets, 1, 0.1)


def in_a_replica(runner, assets, monkeypatch):
    monkeypatch.setattr(replicas, "runner_open", lambda name, given: runner)
    replicas.replica_measure(SimpleNamespace(), "refusing", assets, 1, 0.1)


def in_a_rebuild(runner, assets, monkeypatch):
    monkeypatch.setattr(build, "runner_open", lambda name, given: runner)
    engine = Artifact(assets.checkout / "e", "engine", "0" * 64, 1)
    build._gpu_times(Bench(CASE, assets), engine, Findings(CASE))


@pytest.mark.parametrize("suite", [in_energy, in_memory, in_a_replica, in_a_rebuild])
def test_the_memorys_end_is_let_through(suite, assets, monkeypatch):
    with pytest.raises(CannotRun, match="CUDA out of memory"):
        suite(Full(assets), assets, monkeypatch)
