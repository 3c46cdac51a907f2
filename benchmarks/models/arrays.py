"""Batches of arrays, for the runners that need no torch."""

from __future__ import annotations

import numpy as np


def arrays_batched(example: tuple[np.ndarray, ...], batch: int) -> tuple[np.ndarray, ...]:
    """`batch` rows per input, the example's rows repeated; contiguous copies."""
    rows = np.arange(batch) % example[0].shape[0]
    return tuple(np.ascontiguousarray(array[rows]) for array in example)
