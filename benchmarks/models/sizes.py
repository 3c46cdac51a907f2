"""What is the size of an example: pixels of images, or tokens.  Takes tensors and arrays; needs no torch."""

from __future__ import annotations

from typing import Any

PIXELS, TOKENS = "pixels", "tokens"


def example_size(example: tuple[Any, ...]) -> tuple[str, int] | None:
    """`pixels` a side or `tokens`, and how many the example has; None where it has neither.

    Images are floating point, (n, c, h, w); token ids are whole numbers, (n, t), the longest of them.
    A model of both is sized by its images.
    """
    sides = [one.shape[3] for one in images_of(example)]
    if sides:
        return PIXELS, max(sides)
    tokens = tokens_of(example)
    return None if tokens is None else (TOKENS, tokens)


def tokens_of(example: tuple[Any, ...]) -> int | None:
    """The length of the longest token ids (n, t); None where there are none."""
    ids = [one for one in example if len(one.shape) == 2 and not _is_floating(one)]
    return max((one.shape[1] for one in ids), default=None)


def images_of(example: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs of four axes that are no masks of token by token (n, 1, t, t)."""
    tokens = tokens_of(example)
    return tuple(
        one for one in example if len(one.shape) == 4 and _is_floating(one) and one.shape[3] != tokens
    )


def _is_floating(one: Any) -> bool:
    told = getattr(one, "is_floating_point", None)  # torch tells; numpy's bfloat16 is of kind V
    return bool(told()) if told is not None else one.dtype.kind in "fV"
