"""Entry points: `path/file.py:function` in a checkout, returning `(module, example_inputs)`."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from benchmarks.errors import BenchmarkError, ModelError


def entry_split(ref: str) -> tuple[str, str]:
    """`path/file.py:function` in its two parts.

    Raises:
        ModelError: `ref` has another form.
    """
    path, separator, function = ref.rpartition(":")
    if not separator or not path.endswith(".py") or not function.isidentifier():
        raise ModelError(f"{ref!r} is no entry point; write it as path/file.py:function")
    return path, function


def entry_call(ref: str, checkout: Path, *arguments: object) -> object:
    """Run the entry point's file and return what its function returns for `arguments`.

    The file is compiled from its source, never from a cached byte code that an earlier checkout of
    the same length and second may have left; nothing is written into the checkout.

    Raises:
        ModelError: the file or function is missing, lies outside the checkout, or raises.
        BenchmarkError: what the function was given raised it: it goes through as it is.
    """
    path, function = entry_split(ref)
    root = checkout.resolve()
    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise ModelError(f"{ref}: {path} lies outside the checkout")
    if not file.is_file():
        raise ModelError(f"{ref}: there is no file {path} in the checkout; check the path in perfsite.toml")
    with _import_path(root, file.parent):
        module = _file_run(file, ref)
        build = getattr(module, function, None)
        if not callable(build):
            known = ", ".join(sorted(name for name in vars(module) if callable(getattr(module, name)))[:8])
            raise ModelError(f"{ref}: {path} has no function {function!r}; it has: {known or 'none'}")
        try:
            return build(*arguments)
        except BenchmarkError:
            raise
        except (Exception, SystemExit) as error:  # a script that exits is a mistake of its own
            raise ModelError(f"{ref} raised {type(error).__name__}: {error}") from error


def _file_run(file: Path, ref: str) -> types.ModuleType:
    name = f"perfsite_entry_{file.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up there
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), vars(module))  # noqa: S102 - the watched code, in its own process
    except (Exception, SystemExit) as error:  # a script that exits is a mistake of its own
        raise ModelError(f"{ref}: importing {file.name} raised {type(error).__name__}: {error}") from error
    return module


@contextlib.contextmanager
def _import_path(*folders: Path) -> Iterator[None]:
    """Let the file import its neighbours, first by the checkout's root, then by its own folder."""
    before, writes = list(sys.path), sys.dont_write_bytecode
    sys.path[:0] = [str(folder) for folder in dict.fromkeys(folders)]
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = before
        sys.dont_write_bytecode = writes
