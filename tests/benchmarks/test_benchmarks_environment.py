"""Facts of the toolchain."""

import importlib.metadata
import sys
from types import SimpleNamespace

import pytest

from benchmarks.environment import environment_read


@pytest.fixture
def installed_twice(monkeypatch):
    """onnxruntime for processors and for GPUs in one environment, as a careless installation leaves them."""
    versions = {"onnxruntime": "1.30.0", "onnxruntime-gpu": "1.31.1"}
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions.get(name) or real(name))


def test_of_two_installed_side_by_side_the_imported_one_is_told(installed_twice, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(__version__="1.31.1"))
    assert environment_read("cpu").facts["onnxruntime_version"] == "1.31.1"
    monkeypatch.delitem(sys.modules, "onnxruntime")
    assert environment_read("cpu").facts["onnxruntime_version"] == "1.30.0"


def test_a_package_that_is_not_installed_has_its_reason(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    environment = environment_read("cpu")
    assert environment.facts["onnxruntime_version"] is None
    assert environment.missing["onnxruntime_version"] == "not installed"
