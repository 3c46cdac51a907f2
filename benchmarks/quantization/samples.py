"""Seeded inputs around a model's example: what ranges are calibrated on and drift is measured on.  Light.

Noise stands in for data that nobody gave.  What a repository's own data says of a precision, its
`evaluate` tells.
"""

from __future__ import annotations

import numpy as np

CALIBRATION_SEED = 1
DRIFT_SEED = 2  # another than the calibration's, so that drift is not measured where it was made small


def inputs_seeded(
    example: tuple[np.ndarray, ...], *, batch: int, count: int, seed: int
) -> tuple[tuple[np.ndarray, ...], ...]:
    """`count` times one array of `batch` rows per input of the example, in the example's types.

    Floating-point inputs are a row of the example plus noise of the row's own spread, so that a
    constant one (a mask) stays as it is.  Integers (token ids) are the row's own values in another
    order, the same order in every input as long, so that ids and their mask stay together.
    """
    generator = np.random.default_rng(seed)
    return tuple(_inputs_make(example, batch, generator) for _ in range(count))


def _inputs_make(
    example: tuple[np.ndarray, ...], batch: int, generator: np.random.Generator
) -> tuple[np.ndarray, ...]:
    rows = np.arange(batch) % example[0].shape[0]
    orders: dict[int, np.ndarray] = {}
    made = []
    for array in example:
        picked = array[rows]
        if picked.dtype.kind in "fV":  # V: bfloat16 and its like
            made.append(_noisy(picked, generator))
        elif picked.ndim < 2:
            made.append(np.ascontiguousarray(picked))
        else:
            length = picked.shape[-1]
            if length not in orders:
                orders[length] = generator.permuted(np.tile(np.arange(length), (batch, 1)), axis=1)
            order = orders[length].reshape(batch, *(1,) * (picked.ndim - 2), length)
            made.append(np.take_along_axis(picked, np.broadcast_to(order, picked.shape), axis=-1))
    return tuple(made)


def _noisy(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    plain = rows.astype(np.float64)
    spread = plain.std(axis=tuple(range(1, plain.ndim)), keepdims=True)
    return (plain + spread * generator.standard_normal(plain.shape)).astype(rows.dtype)
