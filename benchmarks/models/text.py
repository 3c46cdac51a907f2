"""Text models from transformers' configurations, wrapped to return one tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import BartConfig, BartModel, BertConfig, BertModel, Qwen2Config, Qwen2Model


class FirstOutput(nn.Module):
    """A transformers model that returns its last hidden state alone: (n, tokens, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Hidden states of the last layer for `input_ids` (n, tokens) under `attention_mask`."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]


class BothSides(nn.Module):
    """An encoder and its decoder in one forward; the decoder's last hidden state: (n, tokens, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, decoder_input_ids: Any) -> Any:
        """Hidden states for the decoder's tokens (n, tokens) given the encoder's (n, tokens)."""
        return self.model(
            input_ids=input_ids, decoder_input_ids=decoder_input_ids, use_cache=False, return_dict=False
        )[0]


def _example(vocabulary: int, tokens: int) -> tuple[Any, Any]:
    return torch.randint(vocabulary, (1, tokens)), torch.ones(1, tokens, dtype=torch.long)


def tiny_bert_build() -> tuple[Any, Any]:
    """A BERT encoder of two layers and width 64, on 32 tokens."""
    config = BertConfig(
        vocab_size=1000,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    return FirstOutput(BertModel(config, add_pooling_layer=False)), _example(1000, 32)


def bert_base_build() -> tuple[Any, Any]:
    """BERT-base (12 layers, width 768), on 128 tokens."""
    config = BertConfig()
    return FirstOutput(BertModel(config, add_pooling_layer=False)), _example(config.vocab_size, 128)


def tiny_decoder_build() -> tuple[Any, Any]:
    """A Qwen2 decoder of two layers and width 64 without its cache, on 32 tokens."""
    config = Qwen2Config(
        vocab_size=1000,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=64,
        use_cache=False,
    )
    return FirstOutput(Qwen2Model(config)), _example(1000, 32)


def bart_large_build() -> tuple[Any, Any]:
    """BART-large (12 layers a side, width 1024), on 128 tokens into each side, 406,291,456 parameters.

    The tokens of both sides are given, as in one step of training or scoring: nothing is generated.
    """
    config = BartConfig()
    encoder, decoder = (torch.randint(3, config.vocab_size, (1, 128)) for _ in range(2))
    return BothSides(BartModel(config)), (encoder, decoder)
