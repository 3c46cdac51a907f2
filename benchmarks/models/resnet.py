"""ResNets as in He et al. 2015, "Deep Residual Learning", with the stride on the 3x3 convolution."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_EXPANSION = 4


def _conv(inside: int, outside: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel_size=size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outside),
    )


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut: (n, inside, h, w) -> (n, 4 width, h / stride, w / stride)."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = width * _EXPANSION
        self.reduce = _conv(inside, width, 1)
        self.spatial = _conv(width, width, 3, stride)
        self.expand = _conv(width, outside, 1)
        same = stride == 1 and inside == outside
        self.shortcut: Any = nn.Identity() if same else _conv(inside, outside, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, images: Any) -> Any:
        """The block's output."""
        features = self.relu(self.reduce(images))
        features = self.relu(self.spatial(features))
        return self.relu(self.expand(features) + self.shortcut(images))


def _stages(depths: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    inside = 64
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        for position in range(depth):
            stride = 2 if stage > 0 and position == 0 else 1
            blocks.append(Bottleneck(inside, width, stride))
            inside = width * _EXPANSION
    return blocks


def _resnet(depths: tuple[int, ...]) -> tuple[Any, Any]:
    module = nn.Sequential(
        _conv(3, 64, 7, 2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        *_stages(depths),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512 * _EXPANSION, 1000),
    )
    return module, torch.randn(1, 3, 224, 224)


def resnet50_build() -> tuple[Any, Any]:
    """Input (1, 3, 224, 224), output (1, 1000), 25,557,032 parameters."""
    return _resnet((3, 4, 6, 3))


def resnet152_build() -> tuple[Any, Any]:
    """Input (1, 3, 224, 224), output (1, 1000), 60,192,808 parameters."""
    return _resnet((3, 8, 36, 3))
