"""The profile that onnxruntime writes with `SessionOptions.enable_profiling`: events as JSON."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.layers.layer import Layer, Layers, middle, precision_words, shape_words, shapes_words

FORM = "onnxruntime profile"

_KERNEL = "_kernel_time"
_RUN = "model_run"
_RENAMED = re.compile(
    r"(?:_nchwc|_token_\d+|/\w*Fusion/?)+$"
)  # what its optimizers add to the name of what they replace
_FUSED = "fused "
WARM_RUNS = 1  # the first run allocates

Event = dict[str, Any]


def profile_is(content: Any) -> bool:
    """Whether the JSON is a list of events among which are nodes or runs of a session."""
    return isinstance(content, list) and any(
        isinstance(event, dict) and event.get("cat") in ("Node", "Session") for event in content
    )


def profile_read(content: list[Event]) -> Layers:
    """Each node with its time in one run, the middle of all runs after the first.

    A file without whole runs counts as one.
    """
    events = [event for event in content if isinstance(event, dict) and "ts" in event]
    runs = sorted((event for event in events if event.get("name") == _RUN), key=lambda event: event["ts"])
    counted = runs[WARM_RUNS:] or runs
    seconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * max(len(counted), 1))
    first: dict[str, Event] = {}
    for event, own_us in _own_times(event for event in events if _is_kernel(event)):
        place = _run_of(event, counted)
        if place is None:
            continue
        key = f"{event['name']}#{event['args'].get('node_index', '')}"
        first.setdefault(key, event)
        seconds[key][place] += own_us * 1e-6
    layers = tuple(_layer(event, middle(seconds[key])) for key, event in first.items())
    whole = middle([event["dur"] * 1e-6 for event in counted]) if counted else None
    return Layers(layers, form=FORM, seconds=whole)


def origin_words(name: str) -> str:
    """What a node of the optimized graph was called before: `relu_nchwc` -> `relu`, `fused a` -> `a`."""
    return _RENAMED.sub("", name.removeprefix(_FUSED))


def _is_kernel(event: Event) -> bool:
    return event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL)


def _own_times(events: Iterable[Event]) -> Iterator[tuple[Event, float]]:
    """Each node with its microseconds, without those of nodes inside it: of a loop's body, say."""
    inside: dict[int, float] = defaultdict(float)
    ordered = sorted(events, key=lambda event: (event["ts"], -event["dur"]))
    stack: dict[Any, list[int]] = defaultdict(list)
    for place, event in enumerate(ordered):
        open_ones = stack[event.get("tid")]
        while open_ones and ordered[open_ones[-1]]["ts"] + ordered[open_ones[-1]]["dur"] <= event["ts"]:
            open_ones.pop()
        if open_ones:
            inside[open_ones[-1]] += event["dur"]
        open_ones.append(place)
    for place, event in enumerate(ordered):
        yield event, max(0.0, event["dur"] - inside[place])


def _run_of(event: Event, runs: list[Event]) -> int | None:
    """Which run the event belongs to; 0 where there are no runs to tell."""
    if not runs:
        return 0
    low, high = 0, len(runs)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if runs[middle]["ts"] <= event["ts"] else (low, middle)
    run = runs[low - 1] if low else None
    return low - 1 if run is not None and event["ts"] <= run["ts"] + run["dur"] else None


def _layer(event: Event, seconds: float) -> Layer:
    told = event.get("args", {})
    name = event["name"].removesuffix(_KERNEL)
    inputs, outputs = _typed(told.get("input_type_shape", ())), _typed(told.get("output_type_shape", ()))
    origin = origin_words(name)
    return Layer(
        name=name,
        kind=str(told.get("op_name", "")),
        # a node that an optimizer put there is called like its operator
        origins=frozenset({origin} - {"", told.get("op_name", "")}),
        seconds=seconds,
        precision=precision_words((one for one, _ in inputs), (one for one, _ in outputs)),
        tactic=str(told.get("provider", "")).removesuffix("ExecutionProvider"),
        shapes=shapes_words((shape for _, shape in inputs), (shape for _, shape in outputs)),
    )


def _typed(told: Iterable[dict[str, list[int]]]) -> list[tuple[str, str]]:
    return [(kind, shape_words(shape)) for one in told for kind, shape in one.items()]
