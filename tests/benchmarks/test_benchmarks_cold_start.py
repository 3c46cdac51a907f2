"""Cold starts in real processes: the parts of a start, what it leaves for the next, exchanged weights."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.artifacts import Artifact
from benchmarks.cases import Case, ModelSource
from benchmarks.errors import CannotRun, IntegrityError
from benchmarks.files import bytes_read, file_forget
from benchmarks.isolation import isolated
from benchmarks.runners.base import Assets
from benchmarks.session import measure
from benchmarks.suites import cold_start as suite
from benchmarks.suites.base import Findings
from benchmarks.suites.cold_start import kept_time, start_time

ROOT = Path(__file__).resolve().parents[2]
CNN = ModelSource(kind="catalogue", ref="tiny-cnn")
HEAD = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 8)
        self.tied = torch.nn.Linear(8, 8)
        self.tied.weight = self.linear.weight
        self.register_buffer("scale", torch.arange(8.0), persistent=False)

    def forward(self, rows):
        return self.tied(self.linear(rows)) * self.scale
"""
GOOD = HEAD + "\ndef build():\n    return Net(), torch.ones(1, 8)\n"
PLAIN = GOOD.replace(
    'self.register_buffer("scale", torch.arange(8.0), persistent=False)', "self.scale = torch.arange(8.0)"
)
NEEDS_VALUES = GOOD.replace(
    "def build():\n", "def build():\n    assert float(Net().linear.weight.detach().abs().sum()) > 0\n"
)


def entry(folder: Path, text: str) -> Assets:
    (folder / "model.py").write_text(text)
    source = ModelSource(kind="entry", ref="model.py:build")
    example = (np.ones((1, 8), dtype=np.float32),)
    return Assets(source, folder, "fp32", "cpu", threads=1, example=example)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A job of onnxruntime; its report and its ONNX file's size."""
    folder = tmp_path_factory.mktemp("whole")
    report = measure(
        CNN,
        model="m",
        precision="fp32",
        cases=[Case(model="m", runner="onnxruntime", suite="cold_start", batch=2, duration_s=0.1)],
        checkout=folder,
        workdir=folder / "work",
        on_progress=lambda *_: None,
        device="cpu",
        canary=False,
    )
    left = sorted(path.name for path in (folder / "work").iterdir())
    assert not [name for name in left if name.startswith("cold-start-")], "what was kept is gone"
    return report, (folder / "work" / "model-fp32.onnx").stat().st_size


def test_every_part_of_a_start_is_told_with_its_interval(whole):
    report, _ = whole
    assert [outcome.status for outcome in report.outcomes] == ["done"], report.outcomes
    assert not [remark for remark in report.remarks if remark.code.startswith("no-")], report.remarks
    found = {one.metric: one for one in report.measurements}
    assert set(found) == {
        "cold_start_time",
        "libraries_time",
        "eager_load_time",
        "first_inference_time",
        "cached_load_time",
        "hot_update_time",
        "loaded_bytes",
        "cpu_utilisation",
    }, "a processor loads no kernels lazily"
    for name, one in found.items():
        if name != "cpu_utilisation":
            assert one.n >= 3
            assert 0 < one.ci_low <= one.value <= one.ci_high
    parts = [found[name].samples for name in ("libraries_time", "eager_load_time", "first_inference_time")]
    assert np.sum(parts, axis=0) == pytest.approx(found["cold_start_time"].samples)


def test_loading_reads_the_file_once_beside_its_digest(whole):
    report, size = whole
    (read,) = (one for one in report.measurements if one.metric == "loaded_bytes")
    assert size <= read.value < size + 4096


def test_a_start_is_counted_from_the_start_of_its_process(tmp_path):
    """What the interpreter and the libraries take is in it, and what the parent took before is not."""
    assets = entry(tmp_path, GOOD)
    began = time.monotonic()
    start = isolated(start_time, "torch", assets, 1, began, True, tmp_path)
    took = time.monotonic() - began
    assert 0.2 < start.libraries < start.total < took
    assert start.load > 0
    assert start.first > 0
    assert isinstance(start.update, float)
    seconds = isolated(kept_time, "torch", assets, 1, start.kept)
    assert 0 < seconds < took


def test_kept_weights_give_the_module_as_it_was(tmp_path):
    import torch

    from benchmarks.models.source import model_load
    from benchmarks.runners import loading_torch

    assets = entry(tmp_path, GOOD)
    kept = loading_torch.keep("torch", assets, 1, tmp_path)
    module = loading_torch.kept_module(assets, kept.verified())
    fresh = model_load(assets.source, assets.checkout, "fp32").module
    rows = torch.randn(3, 8)
    assert torch.equal(module(rows), fresh(rows)), "tied weights and buffers outside the state too"
    assert loading_torch.kept_load("torch", assets, kept, 4) > 0


@pytest.mark.parametrize(
    ("text", "words"), [(PLAIN, "register its constant"), (NEEDS_VALUES, "before its weights")]
)
def test_a_module_that_needs_values_while_it_is_built_has_no_cached_load(tmp_path, text, words):
    from benchmarks.runners import loading_torch

    assets = entry(tmp_path, text)
    kept = loading_torch.keep("torch", assets, 1, tmp_path)
    with pytest.raises(CannotRun, match=words):
        loading_torch.kept_load("torch", assets, kept, 1)


@pytest.mark.parametrize("name", ["torch", "onnxruntime"])
def test_a_kept_file_that_changed_is_refused(tmp_path, name):
    import importlib

    loading = importlib.import_module(f"benchmarks.runners.loading_{name}")
    path = tmp_path / "kept"
    path.write_bytes(b"as it was")
    kept = Artifact.seal(path, "other")
    path.write_bytes(b"another")
    with pytest.raises(IntegrityError):
        loading.kept_load(name, entry(tmp_path, GOOD), kept, 1)


def test_weights_are_exchanged_in_place(tmp_path, monkeypatch):
    """The running module answers with the new weights from the same memory, which a CUDA graph reads."""
    import torch

    from benchmarks.runners import loading_torch

    seen = []
    plain = torch.nn.Module.load_state_dict

    def watched(module, weights, **more):
        addresses = [one.data_ptr() for one in module.parameters()]
        told = plain(module, {name: tensor + 1 for name, tensor in weights.items()}, **more)
        assert [one.data_ptr() for one in module.parameters()] == addresses
        seen.append(float(module.linear.bias.mean()))
        return told

    monkeypatch.setattr(torch.nn.Module, "load_state_dict", watched)
    assert 0 < loading_torch.update("torch", entry(tmp_path, GOOD), 1) < 10
    assert len(seen) == 1


def test_what_a_runner_cannot_keep_or_exchange_is_a_remark(tmp_path):
    from benchmarks.runners import loading_onnxruntime, loading_torch

    assets = entry(tmp_path, GOOD)
    with pytest.raises(CannotRun, match="compiles the graph"):
        loading_onnxruntime.keep("onnxruntime_tensorrt", assets, 1, tmp_path)
    bare = replace(assets, source=ModelSource(kind="onnx", ref="model.onnx"))
    with pytest.raises(CannotRun, match="is an onnx file"):
        loading_torch.keep("torch", bare, 1, tmp_path)

    findings = Findings(Case(model="m", runner="torch", suite="cold_start"))
    refusal = CannotRun("this runner keeps nothing")
    suite._or_remark(findings, "cached_load_time", "no-cached-load", lambda: [suite._told(refusal)])
    assert findings.measurements == []
    (remark,) = findings.remarks
    assert (remark.code, remark.sentence) == (
        "no-cached-load",
        "cached_load_time was not measured: this runner keeps nothing",
    )


READ = """
import sys
from pathlib import Path
counted = lambda: int(Path("/proc/self/io").read_text().split("read_bytes: ")[1].split()[0])
path = Path(sys.argv[1])
before = counted()
path.read_bytes()
print(counted() - before)
"""


def disk_bytes(path: Path) -> int:
    """Bytes that reading the file takes from the disk, in a process of its own."""
    answer = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
    return int(answer.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's proc")
def test_a_forgotten_file_is_read_from_the_disk():
    size = 8 * 2**20
    path = ROOT / ".pytest_cache" / "cold_file"  # on the disk: a temporary folder may lie in memory
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(np.random.default_rng(0).bytes(size))
    try:
        assert disk_bytes(path) == 0, "just written: it is in the page cache"
        file_forget(path)
        assert disk_bytes(path) >= 0.9 * size
    finally:
        path.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's proc")
def test_bytes_read_are_counted(tmp_path):
    (tmp_path / "file").write_bytes(bytes(2**20))
    before = bytes_read()
    (tmp_path / "file").read_bytes()
    assert 2**20 <= bytes_read() - before < 2**20 + 4096
