"""`compare` of two files: other machines, unstable numbers, the status for a pipeline."""

import json
from datetime import UTC, datetime

import pytest

from benchmarks.cases import Case, ModelSource
from benchmarks.cli.main import main
from benchmarks.report import Environment, Measurement, Remark, Report

CASE = Case(model="m", runner="torch", precision="fp32", batch=1, suite="build", duration_s=1.0)
OTHER = CASE.model_copy(update={"batch": 2})
CPU = {"device": "cpu", "cpu_model": "A", "torch_version": "2.9"}
GPU = {"device": "cuda", "cpu_model": "A", "gpu_name": "H100", "gpu_driver": "580"}
BUSY = "other processes used 40% of these cores"


def report(path, *, value=10.0, facts=CPU, remarks=()):
    rows = [Measurement(case=c, metric="parameter_count", value=value, unit="1") for c in (CASE, OTHER)]
    made = Report(
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        generator="t",
        model="m",
        source=ModelSource(kind="catalogue", ref="tiny-cnn"),
        precision="fp32",
        environment=Environment(facts=facts),
        measurements=tuple(rows),
        remarks=tuple(remarks),
    )
    path.write_text(made.model_dump_json())
    return str(path)


def compared(capfd, *arguments):
    status = main(["compare", *arguments, "--json"])
    told = capfd.readouterr()
    return status, (json.loads(told.out) if told.out else told.err)


def unstable(case):
    return Remark(code="cpu-busy", sentence=BUSY, unstable=True, case=case)


@pytest.mark.parametrize("side", ["before", "after"])
def test_an_unstable_side_makes_its_case_unknown_with_the_remark_as_reason(tmp_path, capfd, side):
    remarks = {side: [unstable(CASE)]}
    a = report(tmp_path / "a.json", remarks=remarks.get("before", ()))
    b = report(tmp_path / "b.json", value=20.0, remarks=remarks.get("after", ()))
    _, told = compared(capfd, a, b)
    first, second = told["comparisons"]
    assert (first["verdict"], first["sentence"]) == ("unknown", f"{side} is unstable: {BUSY}")
    assert second["verdict"] == "regressed", "the doubt is not about this case"
    assert told["unstable"][side] == {CASE.label: BUSY}
    main(["compare", a, b])
    assert f"{CASE.label}: {side} is unstable: {BUSY}" in capfd.readouterr().out


def test_a_remark_about_the_job_concerns_each_of_its_cases(tmp_path, capfd):
    a = report(tmp_path / "a.json", remarks=[unstable(None)])
    b = report(tmp_path / "b.json", value=20.0)
    status, told = compared(capfd, a, b, "--fail-on", "regressed")
    assert status == 0
    assert [row["verdict"] for row in told["comparisons"]] == ["unknown", "unknown"]


def test_unstable_numbers_are_judged_when_asked_and_it_says_so(tmp_path, capfd):
    a = report(tmp_path / "a.json", remarks=[unstable(None)])
    b = report(tmp_path / "b.json", value=20.0)
    _, told = compared(capfd, a, b, "--unstable")
    for row in told["comparisons"]:
        assert row["verdict"] == "regressed"
        assert row["sentence"].endswith(f"Judged with --unstable: before is unstable: {BUSY}")


def test_a_remark_that_is_not_unstable_changes_no_verdict(tmp_path, capfd):
    doubt = Remark(code="long-tail", sentence="p99 is high", case=CASE)
    a, b = report(tmp_path / "a.json"), report(tmp_path / "b.json", value=20.0, remarks=[doubt])
    assert {row["verdict"] for row in compared(capfd, a, b)[1]["comparisons"]} == {"regressed"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (CPU, CPU | {"cpu_model": "B"}, "cpu_model A -> B"),
        (GPU, GPU | {"gpu_name": "H200"}, "gpu_name H100 -> H200"),
        (CPU, GPU, "device cpu -> cuda"),
    ],
)
def test_another_machine_is_refused_unless_asked_for(tmp_path, capfd, before, after, words):
    a, b = report(tmp_path / "a.json", facts=before), report(tmp_path / "b.json", facts=after)
    status, told = compared(capfd, a, b)
    assert status == 2
    assert words in told
    assert "--across-machines" in told
    status, told = compared(capfd, a, b, "--across-machines")
    assert status == 0
    assert told["facts_differing"][0]["splits"] is True


def test_the_processor_beside_the_same_gpu_and_other_versions_are_told_and_not_refused(tmp_path, capfd):
    a = report(tmp_path / "a.json", facts=GPU)
    b = report(tmp_path / "b.json", facts=GPU | {"cpu_model": "B", "gpu_driver": "590"})
    status, told = compared(capfd, a, b)
    assert status == 0
    assert {row["name"]: (row["before"], row["after"]) for row in told["facts_differing"]} == {
        "cpu_model": (["A"], ["B"]), "gpu_driver": (["580"], ["590"]),
    }  # fmt: skip
    main(["compare", a, b])
    assert "facts that differ: cpu_model A -> B; gpu_driver 580 -> 590" in capfd.readouterr().out


def test_a_fact_that_one_side_does_not_tell_is_no_other_machine(tmp_path, capfd):
    a, b = report(tmp_path / "a.json", facts={"device": "cpu"}), report(tmp_path / "b.json")
    assert compared(capfd, a, b)[0] == 0
    main(["compare", a, b])
    assert "cpu_model not told -> A" in capfd.readouterr().out


@pytest.mark.parametrize(("value", "status"), [(20.0, 3), (10.0, 0), (5.0, 0)])
def test_a_pipeline_fails_on_what_it_asked_for(tmp_path, capfd, value, status):
    a, b = report(tmp_path / "a.json"), report(tmp_path / "b.json", value=value)
    assert compared(capfd, a, b, "--fail-on", "regressed")[0] == status
    assert compared(capfd, a, b)[0] == 0
