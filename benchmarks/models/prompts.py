"""Seeded prompts for decoders, some of which begin alike.  Needs no torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SEED = 0
PREFIX_SHARE = 0.75  # of the prompt's tokens, what requests that share a beginning share
SHARING = 0.5  # of the requests


def prompt_make(batch: int, tokens: int, vocabulary: int, seed: int = SEED) -> np.ndarray:
    """Token ids (batch, tokens), uniform over the vocabulary, every row another."""
    return np.random.default_rng(seed).integers(vocabulary, size=(batch, tokens), dtype=np.int64)


def prefix_length(tokens: int) -> int:
    """How many of a prompt's tokens a shared beginning has; at least one is always new."""
    return max(1, min(tokens - 1, int(tokens * PREFIX_SHARE)))


def trace_make(requests: int, batch: int, tokens: int, vocabulary: int) -> Sequence[np.ndarray]:
    """Prompts (batch, tokens) of which half, at seeded places, begin with the same tokens.

    The others share nothing; every row of a sharing prompt begins alike and ends by itself.
    """
    generator = np.random.default_rng(SEED)
    sharing = generator.permutation(np.arange(requests) < requests * SHARING)
    length = prefix_length(tokens)
    prefix = generator.integers(vocabulary, size=length)
    prompts = generator.integers(vocabulary, size=(requests, batch, tokens), dtype=np.int64)
    prompts[sharing, :, :length] = prefix
    return list(prompts)


@dataclass
class PrefixStore:
    """What was computed of the beginnings seen last; the least recently used one goes first."""

    places: int
    _kept: OrderedDict[bytes, Any] = field(default_factory=OrderedDict)

    def find(self, prefix: np.ndarray) -> Any | None:
        """What is kept of `prefix` (batch, tokens), None when nothing is."""
        key = prefix.tobytes()
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def keep(self, prefix: np.ndarray, computed: Any) -> None:
        """Keep what was computed of `prefix`, and forget the oldest where there is no place."""
        self._kept[prefix.tobytes()] = computed
        while len(self._kept) > self.places:
            self._kept.popitem(last=False)
