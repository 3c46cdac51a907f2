"""`python -m benchmarks`, as a person runs it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.cases import PRECISIONS, RUNNERS, SUITES
from benchmarks.cli.main import main
from benchmarks.metrics import METRICS
from benchmarks.options import OPTIONS
from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[2]
NOISY = """
import sys, os, torch
print("printed by the model")
os.write(1, b"written by native code\\n")
def build():
    return torch.nn.Linear(8, 4), torch.ones(1, 8)
"""


def benchmarks(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "model.py").write_text(NOISY)
    arguments = ["run", "--entry", "model.py:build", "--runner", "torch", "--duration", "0.2", "--json"]
    answer = benchmarks(*arguments, "--suite", "latency", "--suite", "build", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    assert "printed by the model" in answer.stderr
    assert "written by native code" in answer.stderr
    path = folder / "report.json"
    path.write_text(answer.stdout)
    return path


def test_run_json_prints_the_report_alone(report_file):
    text = report_file.read_text()
    report = Report.model_validate_json(text)
    assert {"latency_p50", "parameter_count"} <= {row["metric"] for row in json.loads(text)["measurements"]}
    assert report.model == "model"


def test_run_prints_a_table(tmp_path):
    (tmp_path / "model.py").write_text(NOISY)
    full = f"{tmp_path / 'model.py'}:build"
    answer = benchmarks("run", "--entry", full, "--runner", "torch", "--suite", "build", "--suite", "memory")
    assert answer.returncode == 0, answer.stderr
    for words in ("Parameters", "36", "Load time", "Host peak memory"):
        assert words in answer.stdout


def test_compare_tells_an_exact_change_and_counts_pairs(report_file, tmp_path):
    other = json.loads(report_file.read_text())
    for row in other["measurements"]:
        if row["metric"] == "parameter_count":
            row["value"] = 72.0
        if row["metric"] == "latency_p50":
            row["samples"] = [value * 2 for value in row["samples"]]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    # what this machine did meanwhile is another test's matter
    answer = benchmarks("compare", str(report_file), str(path), "--unstable", "--json")
    assert answer.returncode == 0, answer.stderr
    rows = {row["metric"]: row for row in json.loads(answer.stdout)["comparisons"]}
    assert rows["parameter_count"]["verdict"] == "regressed"
    assert rows["parameter_count"]["relative"] == 1.0
    assert rows["latency_p50"]["relative"] == pytest.approx(1.0)
    assert len(rows["latency_p50"]["a"]) == 8
    assert "latency_cv" not in rows, "it is never judged"
    table = benchmarks("compare", str(report_file), str(path), "--unstable")
    assert "regressed" in table.stdout
    assert "one process" in table.stdout


def test_list_json_names_everything():
    answer = benchmarks("list", "--json")
    found = json.loads(answer.stdout)
    assert found.keys() == {"models", "runners", "precisions", "suites", "options", "metrics"}
    assert set(found["options"]) == set(OPTIONS)
    assert found["options"]["qps"]["suites"] == ["server"]
    assert found["options"]["policy"]["choices"] == ["fifo", "priority"]
    assert set(found["runners"]) == set(RUNNERS)
    assert set(found["precisions"]) == set(PRECISIONS)
    assert set(found["suites"]) == set(SUITES)
    assert set(found["metrics"]) == set(METRICS)
    assert {"tiny-cnn", "tiny-bert", "tiny-decoder", "tiny-clip", "resnet50", "bert-base"} <= set(
        found["models"]
    )


def test_list_and_env_for_people():
    told = benchmarks("list").stdout
    assert "tiny-decoder" in told
    assert "p99_bound_ms" in told
    shown = benchmarks("env").stdout
    assert "cpu_model" in shown
    facts = json.loads(benchmarks("env", "--json").stdout)["facts"]
    assert facts["python"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "one of the arguments --model --entry --onnx --engine is required"),
        (
            ["run", "--model", "resnet51", "--suite", "build"],
            "no catalogue model 'resnet51'; known: tiny-cnn",
        ),
        (["run", "--model", "tiny-cnn", "--runner", "openvino"], "invalid choice: 'openvino'"),
        (["run", "--model", "tiny-cnn", "--batch", "0"], "whole number from 1 to 65536, not '0'"),
        (["run", "--model", "tiny-cnn", "--batch", "two"], "not 'two'"),
        (["run", "--model", "tiny-cnn", "--duration", "nan"], "above 0"),
        (["run", "--model", "tiny-cnn", "--suite", "speed"], "invalid choice: 'speed'"),
        (["run", "--entry", "gone.py:build"], "there is no file gone.py"),
        (["run", "--entry", "gone"], "write it as path/file.py:function"),
        (["run", "--onnx", "gone.onnx"], "there is no file gone.onnx"),
        (["run", "--engine", "gone.engine"], "there is no file gone.engine"),
        (
            ["run", "--model", "tiny-cnn", "--option", "qps=3", "--suite", "latency"],
            "option qps says nothing to any case asked for; it is for the suite server",
        ),
        (["run", "--model", "tiny-cnn", "--price", "0"], "a price is a number above 0, not '0'"),
        (["run", "--model", "tiny-cnn", "--device", "cuda"], "no NVIDIA GPU is visible here"),
        (["compare", "gone.json", "gone.json"], "cannot read gone.json: No such file"),
        (["compare", "pyproject.toml", "pyproject.toml"], "is no report of `run --json`"),
        (["measure"], "invalid choice: 'measure'"),
        (
            [
                *["run", "--model", "tiny-cnn", "--model", "tiny-bert", "--model", "tiny-clip"],
                *["--suite", "mixed"],
            ],
            "suite mixed takes two models together, and --model names 3",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_input_is_told_and_exits_with_2(arguments, words, capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    try:
        status = main(arguments)
    except SystemExit as refusal:  # argparse's own
        status = refusal.code
    told = capfd.readouterr()
    assert status == 2
    assert words in told.err
    assert told.out == ""


def test_a_bad_input_of_the_command_has_no_traceback():
    answer = benchmarks("run", "--entry", "gone.py:build")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr


def test_nothing_measured_exits_with_1(tmp_path):
    (tmp_path / "model.py").write_text(NOISY)
    answer = benchmarks(
        "run", "--entry", f"{tmp_path / 'model.py'}:build", "--runner", "tensorrt", "--suite", "latency"
    )
    assert answer.returncode == 1
    assert "skipped" in answer.stdout


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two models at two precisions, as one file each for the good and the suspect build."""
    folder = tmp_path_factory.mktemp("several")
    arguments = [
        "run",
        "--model",
        "tiny-cnn",
        "--model",
        "tiny-bert",
        "--runner",
        "torch",
        "--suite",
        "build",
    ]
    answer = benchmarks(*arguments, "--precision", "fp32", "--precision", "bf16", "--no-canary", "--json")
    assert answer.returncode == 0, answer.stderr
    path = folder / "several.json"
    path.write_text(answer.stdout)
    return path


def test_several_models_and_precisions_give_a_list_of_reports(two_models):
    reports = [Report.model_validate(one) for one in json.loads(two_models.read_text())]
    assert [(one.model, one.precision) for one in reports] == [
        ("tiny-cnn", "fp32"), ("tiny-cnn", "bf16"), ("tiny-bert", "fp32"), ("tiny-bert", "bf16")
    ]  # fmt: skip
    assert all(one.canary == () for one in reports)


def test_compare_pairs_reports_of_lists_by_model_and_precision(two_models, tmp_path):
    reports = json.loads(two_models.read_text())
    for row in reports[3]["measurements"]:  # tiny-bert in bf16
        row["value"] *= 2 if row["metric"] == "parameter_count" else 1
    other = tmp_path / "other.json"
    other.write_text(json.dumps(reports[:1] + reports[:0:-1]))  # another order
    answer = benchmarks("compare", str(two_models), str(other), "--json")
    assert answer.returncode == 0, answer.stderr
    verdicts = {
        (row["case"]["model"], row["case"]["precision"]): row["verdict"]
        for row in json.loads(answer.stdout)["comparisons"]
        if row["metric"] == "parameter_count"
    }
    assert verdicts == {
        ("tiny-cnn", "fp32"): "same", ("tiny-cnn", "bf16"): "same",
        ("tiny-bert", "fp32"): "same", ("tiny-bert", "bf16"): "regressed",
    }  # fmt: skip


def test_compare_says_what_only_one_side_measured(two_models, tmp_path):
    one = tmp_path / "one.json"
    one.write_text(json.dumps(json.loads(two_models.read_text())[0]))
    told = benchmarks("compare", str(two_models), str(one)).stdout
    assert f"only in {two_models}:" in told
    assert "tiny-bert/torch/bf16/b1/build" in told
    assert f"only in {one}:" not in told


def test_what_was_not_measured_is_told_once_and_last():
    arguments = ["run", "--model", "tiny-cnn", "--runner", "torch", "--runner", "tensorrt", "--batch", "1"]
    answer = benchmarks(*arguments, "--batch", "2", "--suite", "latency", "--duration", "0.05")
    assert answer.returncode == 0, answer.stderr
    *_, heading, skipped = answer.stdout.rstrip().splitlines()
    assert heading == "not measured: 2 of 4 cases"
    assert skipped.startswith(
        "  skipped: tiny-cnn/tensorrt/fp32/b1/latency, tiny-cnn/tensorrt/fp32/b2/latency: "
    )
    assert [line.split(":")[0] for line in answer.stdout.splitlines() if line.startswith("canary")] == [
        "canary before", "canary after"
    ]  # fmt: skip


def test_a_model_that_fails_stops_no_other_one():
    models = ["--model", "tiny-cnn", "--model", "resnet51", "--runner", "torch", "--suite", "build"]
    answer = benchmarks("run", *models, "--json")
    assert answer.returncode == 1
    assert "failed: resnet51 fp32: " in answer.stderr
    assert "no catalogue model 'resnet51'" in answer.stderr
    assert Report.model_validate_json(answer.stdout).model == "tiny-cnn"


def test_memory_is_measured_of_a_later_job_too():
    """Its child is forked: threads that an earlier job left in this process would hang it."""
    arguments = ["run", "--model", "tiny-cnn", "--runner", "torch", "--suite", "memory", "--suite", "latency"]
    answer = benchmarks(
        *arguments, "--precision", "fp32", "--precision", "bf16", "--duration", "0.05", "--json"
    )
    assert answer.returncode == 0, answer.stderr
    for report in json.loads(answer.stdout):
        assert "host_peak_memory" in {row["metric"] for row in report["measurements"]}


def test_ctrl_c_ends_a_soak_among_several_jobs_with_its_report_and_begins_no_other(tmp_path):
    arguments = ["--model", "tiny-cnn", "--precision", "fp32", "--precision", "bf16", "--runner", "torch"]
    more = ["--suite", "soak", "--duration", "3600", "--keep", str(tmp_path), "--no-canary", "--json"]
    job = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "run", *arguments, *more],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 240
        while not [path for path in tmp_path.rglob("segment-*.bin") if path.stat().st_size > 1000]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(job.pid, signal.SIGINT)  # as a terminal does
        out, err = job.communicate(timeout=240)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 1, err
    assert "stopped: 1 of 2 are reported" in err
    report = Report.model_validate_json(out)
    assert report.precision == "fp32"
    assert "soak-stopped" in {remark.code for remark in report.remarks}
