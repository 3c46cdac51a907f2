"""Suite `build` over engines: rebuilds, their spread, the files they leave, and what cannot be built."""

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.engines import EngineBuild, engine_build
from benchmarks.export import model_export
from benchmarks.models.source import model_load
from benchmarks.runners.base import Assets
from benchmarks.session import measure
from benchmarks.suites.base import Bench
from benchmarks.suites.build import build_measure

has_rtx = any(importlib.util.find_spec(name) for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"))
pytestmark = pytest.mark.skipif(not has_rtx, reason="TensorRT-RTX is not installed (extra rtx)")

CNN = ModelSource(kind="catalogue", ref="tiny-cnn")


def case(**options) -> Case:
    return Case(model="tiny-cnn", runner="tensorrt_rtx", suite="build", duration_s=0.2, options=options)


def measured(folder: Path, *cases: Case):
    return measure(
        CNN,
        model="tiny-cnn",
        precision="fp32",
        cases=cases,
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        device="cpu",
        canary=False,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    cases = case(), case(rebuilds=3), case(workspace_mib=4096), case(workspace_mib=1)
    return measured(folder, *cases), folder / "work"


def values(report, one: Case) -> dict[str, float]:
    return {row.metric: row.value for row in report.measurements if row.case == one}


def test_one_build_is_timed_and_weighed(report):
    found = values(report[0], case())
    assert found["engine_build_success"] == 1
    assert 0 < found["engine_build_time"] < 60
    assert found["engine_size"] == (report[1] / "model-fp32.tensorrt_rtx.engine").stat().st_size
    assert "rebuild_size_spread" not in found


def test_rebuilds_give_a_median_with_its_interval_and_a_spread(report):
    rows = {row.metric: row for row in report[0].measurements if row.case == case(rebuilds=3)}
    time = rows["engine_build_time"]
    assert time.n == len(time.samples) == 3
    assert time.value == sorted(time.samples)[1]
    assert time.ci_low <= time.value <= time.ci_high
    assert 0 <= rows["rebuild_size_spread"].value < 0.5
    assert "rebuild_time_spread" not in rows
    said = [remark.sentence for remark in report[0].remarks if remark.case == case(rebuilds=3)]
    assert any("needs an NVIDIA GPU" in sentence for sentence in said)


def test_cases_that_differ_only_in_what_is_measured_share_an_engine(report):
    stages = [stage.name for stage in report[0].stages]
    # one engine for the first two cases, two rebuilds, one of another limit, one that is refused
    assert stages.count("engine-tensorrt_rtx") == 5


def test_an_engine_of_other_options_is_another_file(report):
    found = {artifact.name: artifact.kind for artifact in report[0].artifacts}
    names = "model-fp32.tensorrt_rtx.engine", "model-fp32.workspace_mib4096.tensorrt_rtx.engine"
    for name in names:
        assert found[name] == "engine"
        assert found[f"{name}.log"] == "log"
        assert found[f"{name}.json"] == "other"
    assert not [path.name for path in report[1].iterdir() if "rebuilt" in path.name]


def test_a_refused_build_is_a_failure_with_the_librarys_words(report):
    ended = {outcome.case: outcome for outcome in report[0].outcomes}
    refused = ended[case(workspace_mib=1)]
    assert refused.status == "failed"
    assert "workspace limit" in refused.reason
    assert values(report[0], case(workspace_mib=1)) == {"engine_build_success": 0.0}
    assert ended[case()].status == "done"


@dataclass
class OtherLimits:
    """A workshop whose every rebuild has another workspace limit, which makes it another engine."""

    first: EngineBuild
    folder: Path
    onnx: object
    made: list[EngineBuild] = field(default_factory=list)

    def rebuild(self, case: Case) -> EngineBuild:
        options = (("workspace_mib", 4096 * (len(self.made) + 1)),)
        target = self.folder / f"{len(self.made)}.engine"
        self.made.append(engine_of(self.onnx, target, options))
        return self.made[-1]


def test_a_given_engine_of_another_release_is_told_with_both(tmp_path):
    older = b"vtrt" + bytes(20) + bytes((1, 5, 0, 0)) + b"kernels"
    (tmp_path / "older.engine").write_bytes(older)
    given = ModelSource(kind="engine", ref="older.engine")
    one = Case(model="older", runner="tensorrt_rtx", suite="build")
    report = measure(
        given,
        model="older",
        precision="fp32",
        cases=[one],
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
        device="cpu",
        canary=False,
    )
    (remark,) = report.remarks
    assert "was built by tensorrt_rtx 1.5.0.0, and this is tensorrt_rtx" in remark.sentence


def engine_of(onnx, target: Path, options=()) -> EngineBuild:
    return engine_build(
        runner="tensorrt_rtx",
        onnx=onnx,
        target=target,
        example_shapes=((1, 3, 32, 32),),
        batches=(1,),
        options=options,
    )


def test_builds_that_differ_are_told_in_a_sentence(tmp_path):
    model = model_load(CNN, tmp_path, "fp32")
    onnx = model_export(model, tmp_path / "model.onnx").onnx
    first = engine_of(onnx, tmp_path / "first.engine")
    assets = Assets(CNN, tmp_path, "fp32", "cpu", 1, onnx=onnx, engine=first.engine)
    bench = Bench(
        case=case(rebuilds=3),
        assets=assets,
        build=replace(first, seconds=9.0),
        workdir=tmp_path,
        workshop=OtherLimits(first, tmp_path, onnx),
    )
    findings = build_measure(bench)
    (sentence,) = [remark.sentence for remark in findings.remarks if remark.code == "rebuilds-differ"]
    assert "3 builds of the same ONNX file gave 3 different engines" in sentence
    assert "timing_cache" in sentence
    rows = {row.metric: row for row in findings.measurements}
    assert rows["engine_build_time"].value < 9.0  # the median, not the slow first one
    assert max(rows["engine_build_time"].samples) == 9.0
    assert first.engine.path.is_file()
    assert not (tmp_path / "0.engine").exists()
