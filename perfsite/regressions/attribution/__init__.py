"""Where a change came from: code, luck of a build, clock, machine, toolchain, or nobody knows.  Pure."""

from perfsite.regressions.attribution.differences import Difference, facts_differ
from perfsite.regressions.attribution.evidence import Evidence, Pairs, Witness
from perfsite.regressions.attribution.split import METHOD, Attributed, Part, attribute

__all__ = [
    "METHOD",
    "Attributed",
    "Difference",
    "Evidence",
    "Pairs",
    "Part",
    "Witness",
    "attribute",
    "facts_differ",
]
