"""The language model inside a module, when it is a decoder that keeps a cache as transformers' do."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from benchmarks.errors import CannotRun
from benchmarks.models.limits import positions_limit

_NEEDED = ("input_ids", "past_key_values", "use_cache")


class Language:
    """The language model inside a module: token ids and a cache in, scores of the next token out."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.config
        self.vocabulary = int(self.config.vocab_size)
        self.positions = positions_limit(model)
        self._last = _takes(model, "logits_to_keep")

    def scores(self, ids: Any, **more: Any) -> Any:
        """Scores of the token after `ids` (n, tokens): (n, vocabulary).

        A model without a head of its own gets its token embeddings as one, as tied models have it.
        """
        if self._last:
            more["logits_to_keep"] = 1
        output = self.model(input_ids=ids, **more)
        logits = getattr(output, "logits", None)
        if logits is not None:
            return logits[:, -1]
        return output.last_hidden_state[:, -1] @ self.model.get_input_embeddings().weight.T

    def is_causal(self, device: str) -> bool:
        """Whether what comes later leaves the answer at a token as it was, seen by trying."""
        pair = torch.tensor([[1, 0], [1, 2]], device=device)  # the first token is the same, the second is not
        output = self.model(input_ids=pair, use_cache=False)
        first, second = output[0][:, 0]
        return bool(torch.allclose(first, second, rtol=1e-2, atol=1e-3))


def language_find(module: Any, where: str) -> Language:
    """The first language model in `module` that takes a cache.

    Raises:
        CannotRun: there is none, or it is no decoder that transformers' StaticCache serves.
    """
    for part in module.modules():
        config = getattr(part, "config", None)
        if config is None or not _takes(part, *_NEEDED):
            continue
        if getattr(config, "is_encoder_decoder", False):
            raise CannotRun(
                f"{where}: {type(part).__name__} has an encoder beside its decoder; generation measures "
                "decoders alone"
            )
        return Language(part)
    raise CannotRun(
        f"{where} is no decoder: no part of it takes {', '.join(_NEEDED)} as transformers' decoders do, "
        "so there are no tokens to generate; leave the generation suite out for this model"
    )


def _takes(part: Any, *names: str) -> bool:
    try:
        known = inspect.signature(part.forward).parameters
    except (TypeError, ValueError):
        return False
    return all(name in known for name in names)
