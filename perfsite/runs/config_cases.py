"""From the tables of `perfsite.toml` to cases: pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from benchmarks.cases import ONCE_SUITES, Case
from benchmarks.options import OptionValue, option_concerns
from perfsite.runs.config_rows import DefaultsTable, ModelTable

Values = dict[str, tuple[OptionValue, ...]]


def cases_make(name: str, table: ModelTable, defaults: DefaultsTable, precision: str) -> Iterator[Case]:
    """Every case of one model at one precision, in the order of the file."""
    for runner in table.runners or defaults.runners:
        for place, batch in enumerate(table.batches or defaults.batches):
            for suite in suites_of(table, defaults):
                if place and suite in ONCE_SUITES:
                    continue  # one export and one engine serve every batch
                values = _concerning(options_of(table, defaults, suite), suite, runner)
                for chosen in product(*values.values()):
                    yield Case(
                        model=name,
                        runner=runner,
                        precision=precision,
                        batch=batch,
                        suite=suite,
                        duration_s=table.duration or defaults.duration,
                        options=tuple(zip(values, chosen, strict=True)),
                    )


def cases_count(table: ModelTable, defaults: DefaultsTable) -> int:
    """How many cases `cases_make` would make at most, of all precisions; nothing is made."""
    batches = len(table.batches or defaults.batches) * len(table.precisions or defaults.precisions)
    return batches * sum(
        prod(len(some) for some in _concerning(options_of(table, defaults, suite), suite, runner).values())
        for runner in table.runners or defaults.runners
        for suite in suites_of(table, defaults)
    )


def suites_of(table: ModelTable, defaults: DefaultsTable) -> tuple[str, ...]:
    """The suites of a model: its own, else the defaults; `evaluate` where it names a function, only there."""
    wanted = [suite for suite in table.suites or defaults.suites if suite != "evaluate"]
    return (*wanted, "evaluate") if table.evaluate is not None else tuple(wanted)


def options_of(table: ModelTable, defaults: DefaultsTable, suite: str) -> Values:
    """The option values of one suite of a model; of each option the model's own come first."""
    return {**defaults.options.get(suite, {}), **table.options.get(suite, {})}


def idle_told(table: ModelTable, defaults: DefaultsTable) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a model's own table asks for and no case of it would have: a key below the table, and why."""
    suites, runners = suites_of(table, defaults), table.runners or defaults.runners
    if not suites:
        yield (), "no suite is left to measure it with; name some, or an evaluate function"
    for suite, values in table.options.items():
        if suite not in suites:
            yield ("options", suite), f"the model is not measured with suite {suite}; add it to suites"
            continue
        for name in values:
            if not any(option_concerns(name, suite=suite, runner=runner) for runner in runners):
                below = ("options", suite, *name.split(".", 1))
                yield below, f"option {name} says nothing to the model's runners: {', '.join(runners)}"


def _concerning(values: Values, suite: str, runner: str) -> Values:
    return {name: some for name, some in values.items() if option_concerns(name, suite=suite, runner=runner)}
