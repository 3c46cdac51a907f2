"""Optimisation profiles: one for each batch, so that no batch is slowed by what else is measured.

TensorRT takes of all kernels that are valid from a profile's smallest to its largest shape those that are
fastest at its best one, for each profile apart (IOptimizationProfile in NVIDIA's Python reference).  With
one profile for all batches the speed at batch 1 would be that of kernels chosen for the largest batch that
any other case of the job asks for.  Here batch b has the profile 1 to b, best at b, whatever the others
are; it begins at 1 because a repository's own metrics bring batches that nobody announced.

An engine for each batch would be as independent, and its size and build time too; but a server and a
search over batches bind several, and their points must be as fast as the cases that measure them alone.
What still grows with the number of batches is the engine's size and the time to build it.
"""

from __future__ import annotations

from typing import Any

from benchmarks.errors import BuildError

Shapes = tuple[tuple[int, ...], ...]
_Bounds = tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
"""(input, smallest shape, best and largest shape) of every input with a free dimension."""


def profiles_add(
    builder: Any, network: Any, config: Any, example_shapes: Shapes, batches: tuple[int, ...]
) -> None:
    """For each of `batches` a profile of 1 to that batch, tuned for it; none where nothing is free.

    `example_shapes` holds one shape per graph input; only dim 0 may differ from the example's.

    Raises:
        BuildError: the graph's inputs are others, or it is fixed to another batch.
    """
    if network.num_inputs != len(example_shapes):
        raise BuildError(
            f"the graph has {network.num_inputs} inputs and the model's example {len(example_shapes)}; "
            "give an example input for each, or drop what the graph does not use"
        )
    inputs = [network.get_input(position) for position in range(network.num_inputs)]
    for graph_input in inputs:
        _fixed_check(graph_input.name, tuple(graph_input.shape), batches)
    bounds = (_bounds(inputs, example_shapes, batch) for batch in sorted(batches))
    for wanted in dict.fromkeys(bounds):  # the same for all batches where dim 0 is fixed
        if wanted:
            _profile_add(builder, config, wanted)


def _bounds(inputs: list[Any], example_shapes: Shapes, batch: int) -> _Bounds:
    found = []
    for graph_input, example in zip(inputs, example_shapes, strict=True):
        declared = tuple(graph_input.shape)
        if -1 in declared:
            low, high = (1, batch) if declared[0] == -1 else (declared[0], declared[0])
            found.append((graph_input.name, (low, *example[1:]), (high, *example[1:])))
    return tuple(found)


def _profile_add(builder: Any, config: Any, bounds: _Bounds) -> None:
    profile = builder.create_optimization_profile()
    for name, low, high in bounds:
        profile.set_shape(name, low, high, high)
    if config.add_optimization_profile(profile) < 0:
        wanted = ", ".join(f"{name!r} from {low} to {high}" for name, low, high in bounds)
        raise BuildError(f"the builder refuses {wanted}; compare the example with the graph's inputs")


def _fixed_check(name: str, declared: tuple[int, ...], batches: tuple[int, ...]) -> None:
    if declared and -1 not in declared and any(batch != declared[0] for batch in batches):
        raise BuildError(
            f"input {name!r} of the graph is fixed to {list(declared)}, and batches "
            f"{', '.join(map(str, batches))} were asked for; export it with a free dim 0, or ask for "
            f"batch {declared[0]} alone"
        )
