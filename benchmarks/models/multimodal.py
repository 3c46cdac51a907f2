"""Models of images and text together, from transformers' configurations."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

_LAYERS = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}


class PairScores(nn.Module):
    """CLIP reduced to one tensor: the score of each image with its own text, (n,)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Any, input_ids: Any) -> Any:
        """Cosine similarity of image (n, 3, h, w) and text (n, tokens), row by row.

        Images of another size than the configuration's take interpolated position embeddings.
        """
        trained = self.model.config.vision_config.image_size
        outputs = self.model(
            pixel_values=pixel_values,
            input_ids=input_ids,
            interpolate_pos_encoding=pixel_values.shape[-1] != trained,
            return_dict=True,
        )
        return (outputs.image_embeds * outputs.text_embeds).sum(dim=-1)


def tiny_clip_build() -> tuple[Any, Any]:
    """A CLIP of two layers a side, on a 32x32 image and 16 tokens."""
    config = CLIPConfig(
        text_config={**_LAYERS, "vocab_size": 1000, "max_position_embeddings": 16, "eos_token_id": 999},
        vision_config={**_LAYERS, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    tokens = torch.randint(998, (1, 16))
    tokens[:, -1] = 999
    return PairScores(CLIPModel(config)), (torch.randn(1, 3, 32, 32), tokens)


def clip_vit_b32_build() -> tuple[Any, Any]:
    """CLIP ViT-B/32 on a 224x224 image and 77 tokens, 151,277,313 parameters."""
    text = CLIPTextConfig()
    tokens = torch.randint(text.vocab_size - 2, (1, text.max_position_embeddings))
    tokens[:, -1] = text.eos_token_id
    config = CLIPConfig(text_config=text.to_dict(), vision_config=CLIPVisionConfig().to_dict())
    return PairScores(CLIPModel(config)), (torch.randn(1, 3, 224, 224), tokens)
