"""From an ONNX file to an engine, and what must hold before an engine is loaded."""

from benchmarks.engines.build import EngineBuild, build_options, engine_build, engine_label

__all__ = ["EngineBuild", "build_options", "engine_build", "engine_label"]
