"""The measuring library on a real NVIDIA GPU."""

import pytest

from benchmarks.cases import Case, ModelSource

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU on this machine"),
]


def test_torch_measures_on_the_gpu(tmp_path):
    from benchmarks.session import measure

    suites = ("build", "latency")
    cases = [Case(model="tiny-cnn", runner="torch", suite=suite, duration_s=0.5) for suite in suites]
    report = measure(
        ModelSource(kind="catalogue", ref="tiny-cnn"),
        model="tiny-cnn",
        precision="fp32",
        cases=cases,
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=lambda *_: None,
    )
    assert {outcome.status for outcome in report.outcomes} == {"done"}
    assert report.environment.facts["gpu_name"]
    measured = {one.metric: one.value for one in report.measurements}
    assert 0 < measured["latency_p50"] < 0.1
    assert "cpu_time_p50" not in measured  # it would be the time of waiting for the GPU
