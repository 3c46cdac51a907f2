"""Small vision models of our own, for tests and for machines without a GPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def _block(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def cnn_build() -> tuple[Any, Any]:
    """Four convolutions and a classifier; input (1, 3, 32, 32), output (1, 10)."""
    module = nn.Sequential(
        _block(3, 16, 1),
        _block(16, 32, 2),
        _block(32, 64, 2),
        _block(64, 64, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )
    return module, torch.randn(1, 3, 32, 32)
