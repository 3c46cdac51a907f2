"""Qwen2 1.5B: the decoder of the generation and scaling suites."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.initialization import no_init_weights

_STANDARD_DEVIATION = 0.02  # initializer_range of the published configuration
_DRAWN = 2**24 - 3  # odd and no multiple of any width, so that no two rows of a matrix are equal


class NextToken(nn.Module):
    """A decoder that returns the scores of the next token alone: (n, vocabulary)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any) -> Any:
        """Scores of the token after `input_ids` (n, tokens); every token is computed anew."""
        return self.model(input_ids=input_ids, use_cache=False, logits_to_keep=1, return_dict=False)[0][:, 0]


def qwen2_build() -> tuple[Any, Any]:
    """The configuration of Qwen2-1.5B, on 128 tokens, 1,543,714,304 parameters."""
    config = Qwen2Config(
        hidden_size=1536,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        intermediate_size=8960,
        vocab_size=151936,
        max_position_embeddings=131072,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )
    with no_init_weights():
        model = Qwen2ForCausalLM(config)
    model.tie_weights()
    weights_draw(model)
    return NextToken(model), torch.randint(config.vocab_size, (1, 128))


def weights_draw(model: Any) -> None:
    """Matrices normal, biases zero, norms one, from torch's generator.

    Drawing 1.5 billion numbers takes half a minute, so 16 million are drawn and repeated, each
    matrix beginning where the one before ended.
    """
    drawn = torch.empty(_DRAWN, device=model.device).normal_(std=_STANDARD_DEVIATION)
    place = 0
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.data.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        flat, filled = parameter.data.view(-1), 0
        while filled < flat.numel():
            taken = min(_DRAWN - place, flat.numel() - filled)
            flat[filled : filled + taken] = drawn[place : place + taken]
            filled, place = filled + taken, (place + taken) % _DRAWN
