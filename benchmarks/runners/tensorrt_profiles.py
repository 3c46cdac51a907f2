"""Which of an engine's optimisation profiles runs what is bound, and a context that holds no more than it."""

from __future__ import annotations

from typing import Any, NamedTuple

from benchmarks.errors import MeasureError

Shape = tuple[int, ...]


class _Fit(NamedTuple):
    """How well a profile fits: `tuned` is 0 when its best shapes are the bound ones; the smallest wins."""

    tuned: int
    largest: tuple[Shape, ...]
    place: int


def context_make(trt: Any, engine: Any) -> Any:
    """An execution context with the scratch memory of its profile; None where the library refuses.

    By default it would hold that of the engine's largest batch, at any batch.
    """
    return engine.create_execution_context(trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE)


def profile_select(engine: Any, context: Any, shapes: dict[str, Shape], stream: Any) -> None:
    """Let `context` use the profile tuned for `shapes` (input -> shape), else the tightest that takes them.

    The shapes are set afterwards: another profile forgets them.  A graph recorded before is void.

    Raises:
        MeasureError: the engine was not built for such shapes, or refuses the profile.
    """
    place = profile_find(engine, shapes)
    # the active one too: its selection is what places the scratch memory
    if not context.set_optimization_profile_async(place, stream.cuda_stream):
        raise MeasureError(f"the engine refuses its own optimisation profile {place}; build it again")
    stream.synchronize()  # what it copies must be there before another stream's work


def profile_find(engine: Any, shapes: dict[str, Shape]) -> int:
    """The number of that profile; 0 where no input has a free dimension.

    Raises:
        MeasureError: no profile takes `shapes`.
    """
    free = {name: shape for name, shape in shapes.items() if -1 in tuple(engine.get_tensor_shape(name))}
    if not free:
        return 0
    fits: list[_Fit] = []
    for place in range(engine.num_optimization_profiles):
        bounds = [_bounds(engine, name, place) for name in free]
        if all(_lies(shape, *bound) for shape, bound in zip(free.values(), bounds, strict=True)):
            tuned = all(shape == bound[1] for shape, bound in zip(free.values(), bounds, strict=True))
            fits.append(_Fit(int(not tuned), tuple(bound[2] for bound in bounds), place))
    if not fits:
        raise MeasureError(_refusal(engine, free))
    return min(fits).place


def _bounds(engine: Any, name: str, place: int) -> tuple[Shape, Shape, Shape]:
    low, best, high = (tuple(shape) for shape in engine.get_tensor_profile_shape(name, place))
    return low, best, high


def _lies(shape: Shape, low: Shape, best: Shape, high: Shape) -> bool:
    return len(shape) == len(low) and all(
        least <= size <= most for least, size, most in zip(low, shape, high, strict=True)
    )


def _refusal(engine: Any, shapes: dict[str, Shape]) -> str:
    name, shape = next(iter(shapes.items()))
    bounds = [_bounds(engine, name, place) for place in range(engine.num_optimization_profiles)]
    taken = ", or ".join(f"from {low} to {high}" for low, _, high in bounds)
    return f"the engine takes {name!r} {taken}, not {shape}; build it for this batch"
