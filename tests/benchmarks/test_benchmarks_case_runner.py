"""One case must not spoil another: neither its result nor the process it is measured in."""

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.errors import ModelError
from benchmarks.session import measure

HUNGRY = """
import torch

class Hungry(torch.nn.Module):
    def forward(self, rows):
        if rows.shape[0] > LIMIT:
            raise RAISED
        return rows + 1

def build():
    return Hungry(), torch.ones(1, 4)
"""
EVALUATE = """
import torch

def build():
    return torch.nn.Linear(4, 2), torch.ones(1, 4)

def evaluate(model):
    return {"mean": model(input=torch.ones(1, 4)).mean().item()}
"""


def job(folder, code, cases, *, canary=False, **source):
    (folder / "net.py").write_text(code)
    return measure(
        ModelSource(kind="entry", ref="net.py:build", **source),
        model="net",
        precision="fp32",
        cases=[Case(model="net", runner="torch", duration_s=0.1, **one) for one in cases],
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        device="cpu",
        canary=canary,
    )


@pytest.mark.parametrize("raised", ["MemoryError('out of memory')", "ValueError('too many rows')"])
def test_a_batch_that_fails_costs_no_other_its_result(tmp_path, raised):
    code = HUNGRY.replace("LIMIT", "4").replace("RAISED", raised)
    report = job(tmp_path, code, [{"suite": "latency", "batch": 1}, {"suite": "latency", "batch": 8}])
    assert [outcome.status for outcome in report.outcomes] == ["done", "failed"]
    assert "forward raised" in report.outcomes[1].reason
    assert {one.case.batch for one in report.measurements} == {1}


def test_a_model_that_never_runs_fails_the_job(tmp_path):
    code = HUNGRY.replace("LIMIT", "0").replace("RAISED", "ValueError('never')")
    with pytest.raises(ModelError, match="never"):
        job(tmp_path, code, [{"suite": "latency"}])


def test_evaluate_leaves_the_threads_to_the_later_cases(tmp_path):
    import torch

    torch.set_num_threads(2)
    seen = []

    def note(stage, *_):
        if stage == "latency":
            seen.append(torch.get_num_threads())

    (tmp_path / "net.py").write_text(EVALUATE)
    cases = [
        Case(model="net", runner="torch", duration_s=0.1, suite=suite) for suite in ("evaluate", "latency")
    ]
    source = ModelSource(kind="entry", ref="net.py:build", evaluate="net.py:evaluate")
    try:
        from benchmarks.device import threads_choose

        report = measure(
            source, model="net", precision="fp32", cases=cases, checkout=tmp_path,
            workdir=tmp_path / "work", on_progress=note, device="cpu", canary=False,
        )  # fmt: skip
        assert [outcome.status for outcome in report.outcomes] == ["done", "done"]
        assert seen == [threads_choose()]
    finally:
        torch.set_num_threads(1)


def test_a_canary_that_fails_costs_no_result_and_is_told(tmp_path, monkeypatch):
    def broken(_device, when):
        if when == "after":
            raise RuntimeError("an illegal memory access was encountered")
        from benchmarks.canary import canary_time

        return canary_time("cpu", when)

    monkeypatch.setattr("benchmarks.session.canary_time", broken)
    code = HUNGRY.replace("LIMIT", "4").replace("RAISED", "ValueError()")
    report = job(tmp_path, code, [{"suite": "latency"}], canary=True)
    assert [outcome.status for outcome in report.outcomes] == ["done"]
    assert [reading.when for reading in report.canary] == ["before"]
    (remark,) = [remark for remark in report.remarks if remark.code == "canary-failed"]
    assert "after the job (RuntimeError: an illegal memory access" in remark.sentence
