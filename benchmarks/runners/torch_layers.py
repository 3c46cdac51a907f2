"""What torch.profiler sees of a runner: a trace in which each module's forward has a name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules import module as hooks
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.layers.torch_trace import INFERENCE, module_words


def trace_record(infer: Callable[[], None], passes: int, path: Path, *, modules: bool) -> None:
    """Run `infer` `passes` times under the profiler and write the trace to `path`.

    With `modules` every eager module's forward is a span of the trace; compiled code has none, and the
    hooks that make the spans would break it into pieces.
    """
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities):
            infer()  # the first profile of a process starts CUPTI, which is slow
    named = _modules_named() if modules else contextlib.nullcontext()
    with named, profile(activities=activities, record_shapes=True, acc_events=True) as recorded:
        for _ in range(passes):
            with record_function(INFERENCE):
                infer()
    recorded.export_chrome_trace(str(path))  # compressed where the name ends in .gz


@contextlib.contextmanager
def _modules_named() -> Iterator[None]:
    """Spans around each module's forward, by its path below the module that is called first."""
    names: dict[int, str] = {}
    spans: list[Any] = []

    def begin(called: Any, _arguments: Any) -> None:
        if not spans:
            names.update({id(part): path for path, part in called.named_modules()})
        span = record_function(module_words(names.get(id(called), "?"), type(called).__name__))
        span.__enter__()
        spans.append(span)

    def end(_called: Any, _arguments: Any, _output: Any) -> None:
        spans.pop().__exit__(None, None, None)

    # around all modules of the process: which one the runner calls is its own affair
    handles = [
        hooks.register_module_forward_pre_hook(begin),
        hooks.register_module_forward_hook(end, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
