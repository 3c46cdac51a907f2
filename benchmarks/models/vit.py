"""Vision transformers from transformers' configuration."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification


class ImageScores(nn.Module):
    """A vision transformer that returns the scores of its classes alone: (n, classes)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Any) -> Any:
        """Scores of images (n, 3, h, w).

        Images of another size than the configuration's take interpolated position embeddings.
        """
        resized = images.shape[-1] != self.model.config.image_size
        return self.model(pixel_values=images, interpolate_pos_encoding=resized, return_dict=False)[0]


def vit_b16_build() -> tuple[Any, Any]:
    """ViT-B/16 with a head of 1,000 classes; input (1, 3, 224, 224), 86,567,656 parameters."""
    return ImageScores(ViTForImageClassification(ViTConfig(num_labels=1000))), torch.randn(1, 3, 224, 224)
