"""Optimisation profiles: which shapes an engine takes and which one it is tuned for."""

from __future__ import annotations

from typing import Any

from benchmarks.errors import BuildError

Shapes = tuple[tuple[int, ...], ...]


def profile_add(
    builder: Any, network: Any, config: Any, example_shapes: Shapes, batches: tuple[int, ...]
) -> None:
    """Allow batches 1 to max(batches), tuned for the largest, on every input whose dim 0 is free.

    `example_shapes` holds one shape per graph input; only dim 0 may differ from the example's.

    Raises:
        BuildError: the graph's inputs are others, or it is fixed to another batch.
    """
    if network.num_inputs != len(example_shapes):
        raise BuildError(
            f"the graph has {network.num_inputs} inputs and the model's example {len(example_shapes)}; "
            "give an example input for each, or drop what the graph does not use"
        )
    profile = builder.create_optimization_profile()
    largest, free = max(batches), False
    for position, example in enumerate(example_shapes):
        graph_input = network.get_input(position)
        declared = tuple(graph_input.shape)
        if -1 not in declared:
            _fixed_check(graph_input.name, declared, batches)
            continue
        free = True
        rest = tuple(example[1:])
        low, high = (1, largest) if declared[0] == -1 else (declared[0], declared[0])
        profile.set_shape(graph_input.name, (low, *rest), (high, *rest), (high, *rest))
    if free and config.add_optimization_profile(profile) < 0:
        raise BuildError(
            f"the builder refuses batches 1 to {largest} of shapes {list(example_shapes)}; "
            "compare them with the graph's inputs"
        )


def _fixed_check(name: str, declared: tuple[int, ...], batches: tuple[int, ...]) -> None:
    if declared and any(batch != declared[0] for batch in batches):
        raise BuildError(
            f"input {name!r} of the graph is fixed to {list(declared)}, and batches "
            f"{', '.join(map(str, batches))} were asked for; export it with a free dim 0, or ask for "
            f"batch {declared[0]} alone"
        )
