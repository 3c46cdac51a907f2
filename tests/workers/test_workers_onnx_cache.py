"""The cache of exports: found by its key, sealed, and bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.artifacts import Artifact
from benchmarks.errors import IntegrityError
from benchmarks.onnx_cache import cache_take
from workers.onnx_cache import ExportKey, OnnxCache


def key(sha: str) -> ExportKey:
    return ExportKey("zoo", sha, "net", "fp32")


def exported(folder: Path, content: bytes) -> Artifact:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return Artifact.seal(path, "onnx")


def test_an_export_is_found_by_its_key_and_loads_sealed(tmp_path: Path) -> None:
    cache = OnnxCache(tmp_path / "cache")
    assert cache.find(key("a")) is None
    cache.keep(key("a"), exported(tmp_path, b"graph"))
    found = cache.find(key("a"))
    assert found is not None
    assert cache_take(found, tmp_path / "copy").path.read_bytes() == b"graph"
    assert cache.find(key("b")) is None


def test_a_file_that_changed_since_it_was_announced_is_not_kept(tmp_path: Path) -> None:
    cache = OnnxCache(tmp_path / "cache")
    artifact = exported(tmp_path, b"graph")
    artifact.path.write_bytes(b"other")
    with pytest.raises(IntegrityError):
        cache.keep(key("a"), artifact)
    assert cache.find(key("a")) is None


def test_the_least_recently_used_goes_first_and_whole(tmp_path: Path) -> None:
    cache = OnnxCache(tmp_path / "cache", limit_bytes=25)
    for age, name in enumerate("ab"):
        cache.keep(key(name), exported(tmp_path, b"x" * 10))
        os.utime(tmp_path / "cache" / key(name).file_name, (age, age))
    assert cache.find(key("a")) is not None  # used now, hence younger than b
    cache.keep(key("c"), exported(tmp_path, b"x" * 10))
    assert cache.find(key("b")) is None
    assert cache.find(key("a")) is not None
    assert cache.find(key("c")) is not None
    assert not list((tmp_path / "cache").glob(f"{key('b').file_name}*"))
