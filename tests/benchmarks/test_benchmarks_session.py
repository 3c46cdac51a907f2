"""A whole job: shared export, one outcome per case, errors by kind."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.artifacts import file_digest
from benchmarks.cases import Case, ModelSource
from benchmarks.errors import ExportError, IntegrityError, ModelError
from benchmarks.report import Report
from benchmarks.session import measure, measure_block

ROOT = Path(__file__).resolve().parents[2]
CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
ENTRY = ModelSource(kind="entry", ref="model.py:build")
HEAD = "import torch\n"
GOOD = HEAD + "def build():\n    return torch.nn.Linear(8, 4), torch.ones(1, 8)\n"


def case(runner: str, suite: str, batch: int = 1, precision: str = "fp32") -> Case:
    return Case(model="m", runner=runner, suite=suite, batch=batch, precision=precision, duration_s=0.05)


def job(source: ModelSource, cases: list[Case], tmp_path: Path, **more) -> Report:
    return measure(
        source,
        model="m",
        precision=cases[0].precision if cases else "fp32",
        cases=cases,
        checkout=tmp_path,
        workdir=tmp_path / "work",
        on_progress=more.pop("on_progress", lambda stage, fraction, message: None),
        **more,
    )


def entry_job(tmp_path: Path, text: str, cases: list[Case], **more) -> Report:
    (tmp_path / "model.py").write_text(text)
    return job(ENTRY, cases, tmp_path, **more)


ALL = [
    case(runner, suite)
    for runner in ("torch", "onnxruntime")
    for suite in ("build", "latency", "throughput", "memory")
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    told: list[tuple[str, float, str]] = []
    folder = tmp_path_factory.mktemp("whole")
    cases = [
        *ALL,
        case("onnxruntime", "latency", batch=3),
        case("tensorrt_rtx", "build"),
        case("tensorrt_rtx", "latency"),
    ]
    report = job(CNN, cases, folder, on_progress=lambda *words: told.append(words))
    return report, told, folder / "work"


def metrics_of(report: Report, runner: str, suite: str) -> dict[str, float]:
    return {
        row.metric: row.value
        for row in report.measurements
        if (row.case.runner, row.case.suite, row.case.batch) == (runner, suite, 1)
    }


def test_every_case_has_one_outcome(whole):
    report, _, _ = whole
    ended = [outcome.case.label for outcome in report.outcomes]
    assert len(ended) == len(set(ended)) == 11
    by_runner = {
        outcome.case.runner: outcome for outcome in report.outcomes if outcome.case.suite == "latency"
    }
    assert by_runner["torch"].status == by_runner["onnxruntime"].status == "done"
    assert by_runner["tensorrt_rtx"].status == "skipped"
    assert "GPU" in by_runner["tensorrt_rtx"].reason


def test_each_suite_gives_its_metrics(whole):
    report, _, work = whole
    latency = {"latency_p50", "latency_p90", "latency_p99", "cpu_time_p50", "latency_cv", "cpu_utilisation"}
    for runner in ("torch", "onnxruntime"):
        assert metrics_of(report, runner, "latency").keys() == latency
        assert metrics_of(report, runner, "throughput").keys() == {"throughput", "cpu_utilisation"}
        assert metrics_of(report, runner, "memory")["host_peak_memory"] > 0
    assert metrics_of(report, "torch", "build")["parameter_count"] == 61_338
    build = metrics_of(report, "onnxruntime", "build")
    assert build["model_size"] == (work / "model-fp32.onnx").stat().st_size
    assert build["export_time"] > 0
    assert build["load_time"] > 0


def test_percentiles_are_in_order_and_bounded(whole):
    report, _, _ = whole
    for runner in ("torch", "onnxruntime"):
        values = metrics_of(report, runner, "latency")
        assert 0 < values["latency_p50"] <= values["latency_p90"] <= values["latency_p99"]
    for row in report.measurements:
        if row.metric == "latency_p50":
            assert row.ci_low <= row.value <= row.ci_high
            assert row.n >= 20
            assert len(row.samples) == min(row.n, 2000)


def test_artifacts_are_the_files_and_their_digests(whole):
    report, _, work = whole
    for artifact in report.artifacts:
        assert file_digest(work / artifact.name) == artifact.sha256
    assert report.onnx_sha256 == hashlib.sha256((work / "model-fp32.onnx").read_bytes()).hexdigest()


def test_progress_rises_to_one_and_every_stage_is_timed(whole):
    report, told, _ = whole
    fractions = [fraction for _, fraction, _ in told]
    assert fractions == sorted(fractions)
    assert told[-1][:2] == ("done", 1.0)
    assert {"import", "load", "export", "latency"} <= {stage.name for stage in report.stages}
    assert all(stage.seconds >= 0 for stage in report.stages)


def test_the_report_survives_its_json(whole):
    report, _, _ = whole
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_the_environment_says_what_is_missing(whole):
    report, _, _ = whole
    facts, missing = report.environment.facts, report.environment.missing
    assert facts["torch_version"]
    assert {name for name, value in facts.items() if value is None} == set(missing)


def test_a_case_that_cannot_run_does_not_stop_the_others(tmp_path):
    cases = [case("onnxruntime", "latency", precision="bf16"), case("torch", "latency", precision="bf16")]
    report = entry_job(tmp_path, GOOD, cases)
    status = {outcome.case.runner: outcome.status for outcome in report.outcomes}
    assert status == {"onnxruntime": "skipped", "torch": "done"}


def test_a_batch_that_fails_does_not_stop_the_others(tmp_path):
    text = HEAD + (
        "class Small(torch.nn.Module):\n"
        "    def forward(self, rows):\n"
        "        return rows * 2\n"
        "def build():\n    return Small(), torch.ones(1, 8)\n"
    )
    cases = [case("torch", "latency"), case("torch", "latency", batch=2), case("torch", "build")]
    report = entry_job(tmp_path, text, cases)
    assert [outcome.status for outcome in report.outcomes] == ["done"] * 3
    counts = [row.value for row in report.measurements if row.metric == "parameter_count"]
    assert counts == [0]


def test_a_model_that_raises_fails_the_job_as_model(tmp_path):
    with pytest.raises(ModelError, match="forward raised") as caught:
        entry_job(tmp_path, GOOD.replace("ones(1, 8)", "ones(1, 9)"), [case("torch", "latency")])
    assert caught.value.kind == "model"


def test_a_model_that_raises_at_a_larger_batch_fails_the_job_as_model(tmp_path):
    text = HEAD + (
        "class Picky(torch.nn.Module):\n"
        "    def forward(self, rows):\n"
        "        if rows.shape[0] > 2:\n"
        "            raise RuntimeError('too many')\n"
        "        return rows * 2\n"
        "def build():\n    return Picky(), torch.ones(1, 8)\n"
    )
    for suite in ("latency", "memory"):
        with pytest.raises(ModelError, match="too many"):
            entry_job(tmp_path, text, [case("torch", suite, batch=4)])


def test_a_model_that_does_not_export_fails_the_job_as_export(tmp_path):
    text = HEAD + (
        "class Fixed(torch.nn.Module):\n"
        "    def forward(self, rows):\n"
        "        return rows * float(rows.sum())\n"
        "def build():\n    return Fixed(), torch.ones(1, 8)\n"
    )
    with pytest.raises(ExportError) as caught:
        entry_job(tmp_path, text, [case("onnxruntime", "latency"), case("torch", "latency")])
    assert caught.value.kind == "export"
    assert entry_job(tmp_path, text, [case("torch", "latency")]).onnx_sha256 is None, "torch needs no export"


def test_a_block_takes_the_kept_export_and_refuses_a_changed_one(tmp_path):
    cases = [case("onnxruntime", "build")]
    (tmp_path / "model.py").write_text(GOOD)

    def block() -> Report:
        return measure_block(
            ENTRY,
            model="m",
            precision="fp32",
            cases=cases,
            checkout=tmp_path,
            workdir=tmp_path / "work",
            on_progress=lambda stage, fraction, message: None,
            onnx_cache=tmp_path / "kept.onnx",
        )

    first, second = block(), block()
    assert first.onnx_sha256 == second.onnx_sha256
    assert "export_time" in metrics_of(first, "onnxruntime", "build")
    assert "export_time" not in metrics_of(second, "onnxruntime", "build"), "it exported nothing"
    (tmp_path / "kept.onnx").write_bytes(b"changed")
    with pytest.raises(IntegrityError):
        block()


def test_an_onnx_file_is_measured_without_torch(tmp_path):
    entry_job(tmp_path, GOOD, [case("onnxruntime", "build")])
    code = f"""
import sys
from pathlib import Path
from benchmarks.cases import Case, ModelSource
from benchmarks.session import measure
suites = ("latency", "memory")
report = measure(
    ModelSource(kind="onnx", ref="work/model-fp32.onnx"),
    model="m",
    precision="fp32",
    cases=[Case(model="m", runner="onnxruntime", suite=suite, duration_s=0.05) for suite in suites],
    checkout=Path({str(tmp_path)!r}),
    workdir=Path({str(tmp_path / "again")!r}),
    on_progress=lambda *words: None,
)
print([outcome.status for outcome in report.outcomes], "torch" in sys.modules)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "['done', 'done'] False"
    report = job(ModelSource(kind="onnx", ref="work/model-fp32.onnx"), [case("torch", "latency")], tmp_path)
    assert report.outcomes[0].status == "skipped"


@pytest.mark.parametrize(
    ("cases", "words"),
    [([], "at least one case"), ([Case(model="other", runner="torch", suite="latency")], "no case of m")],
)
def test_a_job_that_makes_no_sense_is_refused(tmp_path, cases, words):
    with pytest.raises(ValueError, match=words):
        job(CNN, cases, tmp_path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"no file gone\.onnx"):
        job(ModelSource(kind="onnx", ref="gone.onnx"), [case("onnxruntime", "latency")], tmp_path)
