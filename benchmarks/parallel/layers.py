"""A decoder taken apart: which of its matrices and layers can lie on different GPUs."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.errors import CannotRun
from benchmarks.models.language import language_find

_STYLES = ("colwise", "rowwise")


def body_find(module: Any, where: str) -> Any:
    """The part of a decoder that holds its layers, between token embeddings and the head.

    Raises:
        CannotRun: `module` is no decoder, or its parts are not called as in transformers.
    """
    language = language_find(module, where)
    body = getattr(language.model, "base_model", language.model)
    if not all(hasattr(body, name) for name in ("embed_tokens", "layers", "norm")):
        raise CannotRun(
            f"{where}: {type(body).__name__} has no parts embed_tokens, layers and norm, so it cannot be "
            "spread over GPUs; measure replicas"
        )
    return body


def tensor_plan(body: Any, world: int, where: str) -> dict[str, str]:
    """Which matrices are cut by columns and which by rows, as transformers' configuration says.

    Raises:
        CannotRun: it does not say, or the parts do not divide by `world`.
    """
    config = body.config
    plan = dict(getattr(config, "base_model_tp_plan", None) or {})
    if not plan or not set(plan.values()) <= set(_STYLES):
        raise CannotRun(
            f"{where}: the configuration of {type(body).__name__} names no plan of columns and rows for "
            "tensor parallelism (base_model_tp_plan); measure replicas or pipeline"
        )
    parts = {
        "attention heads": config.num_attention_heads,
        "heads of keys and values": getattr(config, "num_key_value_heads", None) or world,
        "columns of its feed-forward": config.intermediate_size,
    }
    for name, count in parts.items():
        if count % world:
            raise CannotRun(
                f"{where}: its {count} {name} do not divide among {world} GPUs; "
                "measure tensor parallelism on fewer"
            )
    return plan


def plan_matches(plan: dict[str, str], body: Any) -> list[str]:
    """The names of the parts that a plan cuts."""
    patterns = [re.compile(key.replace(".", r"\.").replace("*", "[^.]+")) for key in plan]
    names = (name for name, _ in body.named_modules())
    return [name for name in names if any(pattern.fullmatch(name) for pattern in patterns)]


def stages_check(body: Any, world: int, where: str) -> None:
    """Whether the layers can be dealt out to `world` stages.

    Raises:
        CannotRun: there are too few layers, or layers of different kinds.
    """
    kinds = set(getattr(body.config, "layer_types", None) or ["full_attention"])
    if len(kinds) > 1:
        raise CannotRun(
            f"{where}: its layers are of several kinds ({', '.join(sorted(kinds))}), and stages keep none "
            "apart; measure replicas or tensor"
        )
    if len(body.layers) < world:
        raise CannotRun(f"{where}: {len(body.layers)} layers are too few for {world} stages")


def stage_layers(count: int, world: int, number: int) -> range:
    """The layers of stage `number`: equal shares, one more for the first ones, as the last has the head."""
    each, more = divmod(count, world)
    begin = number * each + min(number, more)
    return range(begin, begin + each + (number < more))
