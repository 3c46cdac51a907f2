"""Which facts of an environment split series: pure."""

from __future__ import annotations

from collections.abc import Mapping

# A change of one of these makes numbers incomparable, so it starts new series.  Everything else
# (driver, library versions, kernel) is a dated mark on the same chart.
SPLIT_FACTS = ("gpu_name", "cpu_model")


def environment_split(facts: Mapping[str, object]) -> str:
    """The key series are split by: the GPU's name, or the processor's where there is no GPU."""
    for name in SPLIT_FACTS:
        if facts.get(name):
            return f"{name}={facts[name]}"[:200]
    return ""
