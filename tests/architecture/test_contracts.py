"""The rules between rooms hold, the code is tidy and typed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# each heavy library is imported in its own files only, so that a missing one is one clear message
HEAVY_HOMES = {
    "torch": (
        "benchmarks/export.py",
        "benchmarks/gpu/",
        "benchmarks/models/",
        "benchmarks/parallel/",
        "benchmarks/precision.py",
        "benchmarks/quantization/",
        "benchmarks/runners/",
    ),
    "transformers": ("benchmarks/models/",),
    "onnx": ("benchmarks/models/", "benchmarks/quantization/"),
    "onnxscript": ("benchmarks/export.py",),
    "onnxruntime": ("benchmarks/quantization/", "benchmarks/runners/"),
    "tensorrt": ("benchmarks/runners/tensorrt",),
    "tensorrt_rtx": ("benchmarks/runners/tensorrt",),
    "pynvml": ("benchmarks/nvml.py",),
}
# what the site, a poll-only worker and `python -m benchmarks list` must start with
LIGHT = (
    "benchmarks.cases",
    "benchmarks.metrics",
    "benchmarks.report",
    "benchmarks.compare",
    "benchmarks.sequential",
    "benchmarks.layers",
    "workers.messages",
    "workers.client",
    "workers.tasks",
    "perfsite.regressions.detection",
    "perfsite.webhooks.payloads",
    "perfsite.runs.config",
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["lint-imports"],
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=lambda command: " ".join(command),
)
def test_tool_finds_nothing(command):
    answer = run(str(BIN / command[0]), *command[1:])
    assert answer.returncode == 0, answer.stdout + answer.stderr


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_heavy_libraries_stay_in_their_files():
    strays = []
    for room in ("perfsite", "workers", "benchmarks"):
        for path in (ROOT / room).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            for library in imports_of(path) & HEAVY_HOMES.keys():
                if not place.startswith(HEAVY_HOMES[library]):
                    strays.append(f"{place} imports {library}")
    assert strays == []


@pytest.mark.parametrize("module", LIGHT)
def test_light_module_needs_no_heavy_library(module):
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {set(HEAVY_HOMES)!r}:
            raise ImportError(name + ' must not be imported here')
sys.meta_path.insert(0, Refuse())
import {module}
"""
    answer = run(sys.executable, "-c", code)
    assert answer.returncode == 0, answer.stderr


def test_site_starts_without_heavy_libraries(tmp_path):
    code = f"""
import sys, os
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {set(HEAVY_HOMES)!r}:
            raise ImportError(name + ' must not be imported by the site')
sys.meta_path.insert(0, Refuse())
os.environ.update(DJANGO_SETTINGS_MODULE='perfsite.settings', PERFSITE_DATA={str(tmp_path)!r})
import django; django.setup()
import perfsite.urls, perfsite.celery
perfsite.celery.app.loader.import_default_modules()
print(sorted(name for name in perfsite.celery.app.tasks if not name.startswith('celery.')))
"""
    answer = run(sys.executable, "-c", code)
    assert answer.returncode == 0, answer.stderr
    assert "runs.plan" in answer.stdout
    assert "regressions.screen" in answer.stdout
    assert "alerts.tell" in answer.stdout


def test_every_room_has_a_readme():
    apps = [path.parent for path in (ROOT / "perfsite").glob("*/__init__.py")]
    rooms = [*apps, ROOT / "workers", ROOT / "benchmarks", ROOT / "tests", ROOT / "docker", ROOT]
    assert [str(room.relative_to(ROOT)) for room in rooms if not (room / "README.md").exists()] == []


def test_migrations_are_complete(tmp_path):
    answer = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
