"""The trace that torch.profiler exports (Chrome's format), by module where the modules were named in it.

Whoever records opens `record_function("module: PATH (Class)")` around each module's forward and
`record_function("inference")` around each inference.  A trace without them is read by operator.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.layers.layer import Layer, Layers, middle, precision_words, shape_words

FORM_CPU, FORM_CUDA = "torch profiler, operators", "torch profiler, kernels"
INFERENCE = "inference"
MODULE = "module: "
ROOT = "(model)"
MOST_TACTICS = 3
LONGEST = 120  # characters of a kernel's name

_SPAN = "user_annotation"
_STEP = "ProfilerStep#"
_ON_GPU = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})
_LAUNCHES = frozenset({"cuda_runtime", "cuda_driver"})

Event = dict[str, Any]


def trace_is(content: Any) -> bool:
    """Whether the JSON is a trace that torch.profiler exported."""
    return isinstance(content, dict) and "traceEvents" in content and "schemaVersion" in content


def module_words(path: str, kind: str) -> str:
    """What a module's span is called."""
    return f"{MODULE}{path} ({kind})"


@dataclass
class _Owner:
    """A module, or an operator outside any: its time in each inference, and what ran for it."""

    name: str
    kind: str
    origins: frozenset[str]
    host: Counter[int] = field(default_factory=Counter)
    device: Counter[int] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    kernels: Counter[str] = field(default_factory=Counter)
    first: Event | None = None


@dataclass
class _Walk:
    """One pass over the trace: who owns each operator and each launch."""

    inference: str  # how the span of one begins
    owners: dict[str, _Owner] = field(default_factory=dict)
    launches: dict[int, tuple[_Owner, int]] = field(default_factory=dict)
    spans: list[float] = field(default_factory=list)  # seconds of each inference on the host

    def thread(self, events: list[Event]) -> None:
        """One thread's events, each inside those of its stack that have not ended."""
        stack: list[tuple[float, str, _Owner | None]] = []
        inference = 0
        for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
            while stack and stack[-1][0] <= event["ts"]:
                stack.pop()
            owner = stack[-1][2] if stack else None
            kind = _kind_of(event, self.inference)
            if kind == "inference":
                inference = len(self.spans)
                self.spans.append(event["dur"] * 1e-6)
            elif kind == "module":
                owner = self._module(event["name"])
            elif kind == "launch":
                if owner is not None:
                    self.launches[event["args"]["correlation"]] = (owner, inference)
                continue
            elif not stack or stack[-1][1] != "operator":
                owner = owner or self._operator(event["name"])
                owner.host[inference] += event["dur"]
                owner.operators[event["name"]] += event["dur"]
                owner.first = owner.first or event
            stack.append((event["ts"] + event["dur"], kind, owner))

    def _module(self, name: str) -> _Owner:
        path, _, kind = name.removeprefix(MODULE).partition(" (")
        path = path or ROOT
        return self.owners.setdefault(path, _Owner(path, kind.removesuffix(")"), frozenset({path})))

    def _operator(self, name: str) -> _Owner:
        return self.owners.setdefault(name, _Owner(name, name, frozenset()))

    def kernels(self, events: Iterable[Event]) -> dict[int, list[tuple[float, float]]]:
        """Give each kernel to the owner of its launch; (start, end) of each in microseconds, by inference."""
        found: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for event in events:
            owner, inference = self.launches.get(event.get("args", {}).get("correlation"), (None, 0))
            if owner is None:
                continue
            owner.device[inference] += event["dur"]
            owner.kernels[event["name"]] += event["dur"]
            found[inference].append((event["ts"], event["ts"] + event["dur"]))
        return found


def trace_read(content: dict[str, Any]) -> Layers:
    """Each module with its time in one inference, the middle of all.

    Where the trace holds kernels the time is theirs, on the GPU; else it is that of the outermost
    operators that a module called itself, without what its submodules did and without Python's own.
    """
    events = [event for event in content["traceEvents"] if event.get("ph") == "X" and "dur" in event]
    spans = {event["name"] for event in events if event.get("cat") == _SPAN}
    walk = _Walk(INFERENCE if INFERENCE in spans else _STEP)
    threads: dict[Any, list[Event]] = defaultdict(list)
    for event in events:
        if _kind_of(event, walk.inference):
            threads[event.get("tid")].append(event)
    for mine in threads.values():
        walk.thread(mine)
    gpu = walk.kernels(event for event in events if event.get("cat") in _ON_GPU)
    layers = tuple(_layers(walk, max(len(walk.spans), 1), on_gpu=bool(gpu)))
    if gpu:
        whole = [max(end for _, end in some) - min(start for start, _ in some) for some in gpu.values()]
        return Layers(layers, FORM_CUDA, middle(whole) * 1e-6 if walk.spans else None)
    return Layers(layers, FORM_CPU, middle(walk.spans) if walk.spans else None)


def _kind_of(event: Event, inference: str) -> str:
    """What an event means for the walk; "" when nothing."""
    name, category = event["name"], event.get("cat")
    if category == _SPAN:
        if name.startswith(inference):
            return "inference"
        return "module" if name.startswith(MODULE) else ""
    if category in _LAUNCHES:
        return "launch" if "correlation" in event.get("args", {}) else ""
    return "operator" if category == "cpu_op" else ""


def _layers(walk: _Walk, inferences: int, *, on_gpu: bool) -> Iterator[Layer]:
    for owner in walk.owners.values():
        times = owner.device if on_gpu else owner.host
        if not times:
            continue  # a container, or nothing that ran on the GPU
        ran = owner.kernels if on_gpu else owner.operators
        told = (owner.first or {}).get("args", {})
        shapes = [shape_words(one) for one in told.get("Input Dims", ()) if one]
        kinds = [one for one in told.get("Input type", ()) if _is_number(one)]
        yield Layer(
            name=owner.name,
            kind=owner.kind,
            origins=owner.origins,
            seconds=middle([times.get(one, 0.0) for one in range(inferences)]) * 1e-6,
            precision=precision_words(kinds, ()),
            tactic=" + ".join(name[:LONGEST] for name, _ in ran.most_common(MOST_TACTICS)),
            shapes=", ".join(shapes[:2]),  # the data's and the weight's
        )


def _is_number(kind: object) -> bool:
    """`Input type` lists scalars and lists of the call, too."""
    return isinstance(kind, str) and bool(kind) and not kind.startswith(("Scalar", "GenericList", "Tensor"))
