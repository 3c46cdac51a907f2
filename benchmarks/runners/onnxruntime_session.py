"""Sessions of ONNX Runtime: opened with what a case asks for, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.errors import CannotRun, first_line
from benchmarks.options import PROVIDER_PREFIX, Pairs
from benchmarks.runners.base import Assets

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
GRAPH_OPTION = {CUDA: "enable_cuda_graph", TENSORRT: "trt_cuda_graph_enable"}
BATCH = "batch"  # what the exporter calls the free dimension
_NAMED = 5
_TENSORRT_PREFIX = "trt_"


class FellBack(CannotRun):
    """Some nodes would run on the CPU instead of the GPU; the message names them."""


@dataclass(frozen=True)
class Plan:
    """How to open a session: providers in their order with the options of each, and how many threads.

    `dimensions` are fixed by name.  With `strict` a node that no provider but the CPU's takes is
    refused; without, and only to look at it, the session is opened all the same.  `fused` is false
    where Q/DQ nodes must be run as they are.  `trace` begins the name of a file that gets the time of each
    node, which costs time; "" for none.
    """

    path: Path
    providers: tuple[tuple[str, dict[str, str]], ...]
    threads: int
    dimensions: tuple[tuple[str, int], ...] = ()
    strict: bool = False
    fused: bool = True
    trace: str = ""

    def uncaptured(self) -> Plan:
        """The same without CUDA graphs."""
        switches = set(GRAPH_OPTION.values())
        plain = tuple(
            (name, {key: value for key, value in options.items() if key not in switches})
            for name, options in self.providers
        )
        return replace(self, providers=plain)


def plan_make(assets: Assets, providers: Sequence[str], path: Path) -> Plan:
    """The plan for the assets' precision and options, without what belongs to a GPU.

    Raises:
        CannotRun: this build of onnxruntime lacks the first provider.
    """
    first = providers[0]
    if first not in onnxruntime.get_available_providers():
        raise CannotRun(
            f"onnxruntime {onnxruntime.__version__} has no {first}; uninstall onnxruntime and "
            "pip install 'perfsite[gpu]' (onnxruntime-gpu and onnxruntime cannot live together)"
        )
    return Plan(
        path=path,
        providers=tuple((name, _options_of(name, assets.options, providers)) for name in providers),
        threads=assets.threads,
        fused=assets.precision != "fp8",  # its fusions take any Q/DQ pair for one of integers
        trace=str(assets.option("trace", "")),
    )


def _options_of(provider: str, options: Pairs, providers: Sequence[str]) -> dict[str, str]:
    """The case's `provider.*` options for one provider: where TensorRT is one, `trt_*` are its own."""
    given = {name.removeprefix(PROVIDER_PREFIX): str(value) for name, value in options if _is_given(name)}
    if TENSORRT not in providers:
        return given
    tensorrt = provider == TENSORRT
    return {name: value for name, value in given.items() if name.startswith(_TENSORRT_PREFIX) == tensorrt}


def _is_given(name: str) -> bool:
    return name.startswith(PROVIDER_PREFIX)


def session_open(plan: Plan) -> Any:
    """An InferenceSession whose nodes all run on the plan's providers.

    Raises:
        FellBack: a node would run on the CPU.
        CannotRun: the graph or a provider's option is refused, or the provider's libraries do not load.
    """
    first = plan.providers[0][0]
    try:
        session = session_make(plan)
    except Exception as error:  # onnxruntime raises a class of its own for each status
        refusal = _fallback_found(plan) if plan.strict else None
        raise refusal or CannotRun(_refusal_words(error, first)) from error
    if session.get_providers()[0] != first:
        raise _substituted(first, session)
    return session


def session_make(plan: Plan, *, recorded: bool = False) -> Any:
    """The session as onnxruntime opens it or refuses it; strict or `recorded` it tells who runs each node."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = plan.threads
    options.inter_op_num_threads = 1
    if plan.trace:
        options.enable_profiling, options.profile_file_prefix = True, plan.trace
    options.log_severity_level = 4  # what it cannot do it raises; on the way it logs each plan tried
    for name, size in plan.dimensions:
        options.add_free_dimension_override_by_name(name, size)
    if plan.strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    if not plan.fused:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if plan.strict or recorded:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # enable_fallback would print, and open a session on the CPU in place of one that failed
    return onnxruntime.InferenceSession(
        str(plan.path), options, providers=list(plan.providers), enable_fallback=0
    )


def _fallback_found(plan: Plan) -> CannotRun | None:
    """What a session that may use the CPU shows: nodes there, or no GPU at all; None when neither."""
    first = plan.providers[0][0]
    try:
        session = session_make(replace(plan.uncaptured(), strict=False), recorded=True)
        nodes = nodes_on(session, CPU)
    except Exception:  # the graph itself is refused, as the error before has told
        return None
    if session.get_providers()[0] != first:
        return _substituted(first, session)
    return FellBack(fallback_words(first, nodes)) if nodes else None


def free_name(plan: Plan) -> str | None:
    """What the graph calls the first dimension that the plan leaves free; None when it is fixed."""
    plain = replace(plan, providers=((CPU, {}),), strict=False)
    name = session_open(plain).get_inputs()[0].shape[0]
    return name if isinstance(name, str) else None


def nodes_on(session: Any, provider: str) -> list[str]:
    """The nodes that `provider` runs, each as its operator and name; the session recorded them."""
    return [
        f"{node.op_type} {node.name}".strip()
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == provider
        for node in part.get_nodes()
    ]


def fallback_words(provider: str, nodes: list[str]) -> str:
    """The refusal of a graph of which the CPU would run `nodes`."""
    named = ", ".join(nodes[:_NAMED]) + (", ..." if len(nodes) > _NAMED else "")
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    return (
        f"{count} of this graph would fall back from onnxruntime's {provider} to the CPU, and the time would "
        f"be no GPU's: {named}; write the model without them, or measure it by another runner"
    )


def _substituted(provider: str, session: Any) -> CannotRun:
    return CannotRun(
        f"onnxruntime {onnxruntime.__version__} put {session.get_providers()[0]} in the place of {provider}, "
        "whose own libraries did not load; install those it was built for "
        "(pip install 'perfsite[gpu]' brings CUDA's and cuDNN's with torch)"
    )


def _refusal_words(error: Exception, provider: str) -> str:
    text = first_line(error)
    if "NOT_IMPLEMENTED" in text or "NotImplemented" in type(error).__name__:
        return f"onnxruntime's {provider} has no kernel for this graph: {text}"
    return f"onnxruntime cannot load this graph on {provider}: {text}"
