"""One decoder spread over several GPUs: by the matrices (tensor) or by the layers (pipeline).

Tensor: every matrix of a layer lies in parts on all GPUs, which sum up twice a layer (Shoeybi et al.
2019, Megatron-LM).  Pipeline: every GPU has some of the layers, and requests follow one another
through them, each GPU at work on another one; a single request is not faster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from benchmarks.collector import collector_paused
from benchmarks.errors import CannotRun
from benchmarks.models.inputs import tensors_batched
from benchmarks.models.source import model_load
from benchmarks.parallel.layers import body_find, plan_matches, stage_layers, stages_check, tensor_plan
from benchmarks.parallel.ranks import Rank
from benchmarks.parallel.replicas import LOAD_S, MARK_S, MOST_PER_MARK
from benchmarks.parallel.shard import Shard
from benchmarks.parallel.window import Timeline
from benchmarks.precision import matmul_precision_set, torch_checked
from benchmarks.runners.base import Assets

Mode = Literal["tensor", "pipeline"]

TIMEOUT_S = 60  # of every collective and barrier
WARM_CALLS = 5
WARM_SHARE = 0.3  # of the measuring time
FEWEST_MARKS = 10


def shard_measure(rank: Rank, mode: Mode, assets: Assets, batch: int, duration_s: float) -> Timeline:
    """This rank's part of the decoder, run for `duration_s` seconds together with the others.

    Raises:
        CannotRun: the model cannot be spread like this, or this machine cannot run it.
        ModelError: the model cannot be loaded.
    """
    with shard_open(rank, mode, assets, batch) as shard:
        no_graph = shard.capture(allowed=bool(assets.option("graph", default=True)))
        each = shard.calls_time(WARM_CALLS)
        warm = int(duration_s * WARM_SHARE / each) + 1
        each = shard.calls_time(shard.agreed(warm))
        per_mark = shard.agreed(int(np.clip(round(MARK_S / each), 1, MOST_PER_MARK)))
        marks = shard.agreed(max(FEWEST_MARKS, round(duration_s / each / per_mark)))
        with collector_paused():
            stamps = [time.perf_counter_ns()]
            for _ in range(marks):
                shard.calls(per_mark)
                stamps.append(time.perf_counter_ns())
        shard.agreed(0)  # nobody leaves while another still computes
    return Timeline(np.asarray(stamps, dtype=np.int64), per_mark * batch, no_graph)


def shard_outputs(
    rank: Rank, modes: tuple[Mode, ...], assets: Assets, batch: int
) -> dict[Mode, np.ndarray | None]:
    """By mode, the whole model's first output for its example, as the last rank has it; None elsewhere."""
    found: dict[Mode, np.ndarray | None] = {}
    for mode in modes:
        with shard_open(rank, mode, assets, batch) as shard:
            shard.calls(1)
            shard.agreed(0)  # nobody leaves while another still computes
            last = rank.number == rank.world - 1
            found[mode] = shard.output.float().cpu().numpy() if last else None
    return found


@contextmanager
def shard_open(rank: Rank, mode: Mode, assets: Assets, batch: int) -> Iterator[Shard]:
    """Load the model, meet the others, and keep this rank's part."""
    on_gpu = assets.device == "cuda"
    if on_gpu and torch.cuda.device_count() < rank.world:
        raise CannotRun(f"torch sees {torch.cuda.device_count()} GPUs here, and {rank.world} were asked for")
    torch_checked(assets.precision, assets.device)
    device = torch.device("cuda", rank.number) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    loaded = model_load(assets.source, assets.checkout, assets.precision, assets.size)
    torch.set_num_threads(max(1, assets.threads // rank.world))
    matmul_precision_set(assets.precision)
    module = loaded.module
    body = body_find(module, assets.source.ref)
    inputs = tuple(tensor.to(device) for tensor in tensors_batched(loaded.example, batch))
    rank.meet(f"loaded-{mode}", LOAD_S)
    with _group(rank, mode, device), torch.no_grad():
        if mode == "tensor":
            module.to(device)
            _cut(body, rank, device, assets.source.ref)
            shard = Shard(rank.number, rank.world, device, module, inputs)
        else:
            shard = _stage(rank, device, module, body, inputs, assets.source.ref)
        try:
            yield shard
        finally:
            shard.close()


@contextmanager
def _group(rank: Rank, name: str, device: torch.device) -> Iterator[None]:
    on_gpu = device.type == "cuda"
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=f"file://{rank.folder / f'store-{name}'}",
        rank=rank.number,
        world_size=rank.world,
        timeout=timedelta(seconds=TIMEOUT_S),
        device_id=device if on_gpu else None,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def _cut(body: Any, rank: Rank, device: torch.device, where: str) -> None:
    """Keep this rank's columns and rows of every matrix in the plan, in place."""
    plan = tensor_plan(body, rank.world, where)
    if not plan_matches(plan, body):
        raise CannotRun(f"{where}: no part of {type(body).__name__} is called as its plan says")
    styles = {"colwise": ColwiseParallel, "rowwise": RowwiseParallel}
    mesh = init_device_mesh(device.type, (rank.world,))
    # every rank has drawn the same weights, so none sends its own
    parallelize_module(
        body, mesh, {name: styles[style]() for name, style in plan.items()}, src_data_rank=None
    )


def _stage(
    rank: Rank, device: torch.device, module: Any, body: Any, inputs: tuple[Any, ...], where: str
) -> Shard:
    """Keep this rank's layers; what the stage before computed takes the place of the embeddings."""
    stages_check(body, rank.world, where)
    first, last = rank.number == 0, rank.number == rank.world - 1
    width, dtype = body.config.hidden_size, next(body.parameters()).dtype
    tokens = inputs[0].shape[:2]
    received, sent = None, None
    own = stage_layers(len(body.layers), rank.world, rank.number)
    body.layers = nn.ModuleList(body.layers[place] for place in own)
    if not first:
        received = torch.zeros(*tokens, width, dtype=dtype, device=device)
        body.embed_tokens = _Received(received)
    if not last:
        sent = torch.zeros(*tokens, width, dtype=dtype, device=device)
        body.norm = nn.Identity()
        _head_drop(module, body)
        _hidden_keep(body, sent)
    return Shard(rank.number, rank.world, device, module.to(device), inputs, received, sent)


def _hidden_keep(body: Any, sent: Any) -> None:
    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        sent.copy_(output[0])

    body.register_forward_hook(keep)


class _Received(nn.Module):
    """In place of token embeddings: the hidden states (n, tokens, width) of the stage before."""

    def __init__(self, hidden: Any) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, input_ids: Any) -> Any:
        """What was received, whatever the ids."""
        return self.hidden


def _head_drop(module: Any, body: Any) -> None:
    """A stage that is not the last computes no scores."""
    for part in module.modules():
        if part is not body and getattr(part, "base_model", None) is body and hasattr(part, "lm_head"):
            part.lm_head = nn.Identity()
