"""The screen's rule: the defaults, and what stored parameters set otherwise.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.metrics import Metric
from perfsite.regressions.detection import EAGER, Persona
from perfsite.regressions.detection.rule import DEFAULTS, Parameters


@dataclass(frozen=True)
class Rule:
    """`score` is what a suspicion must reach; `relevant` maps metrics to their smallest relative change.

    A metric that `relevant` does not name keeps the one of its row in `benchmarks.metrics`.
    """

    score: float = EAGER.score
    relevant: Mapping[str, float] = field(default_factory=dict)

    @property
    def persona(self) -> Persona:
        """Who judges a settled level: the persona that asks for a comparison."""
        return replace(EAGER, score=self.score)

    @property
    def parameters(self) -> Parameters:
        """What a young level is judged by: its own threshold, raised or lowered as `score` is."""
        return replace(DEFAULTS, threshold=DEFAULTS.threshold * self.score / EAGER.score)

    def relevant_of(self, metric: Metric) -> float:
        """The smallest relative change of this metric worth telling."""
        return self.relevant.get(metric.name, metric.relevant)


def rule_read(parameters: Mapping[str, Any]) -> Rule:
    """The rule of stored parameters; names that are not the screen's are left to whom they belong."""
    default = Rule()
    score, relevant = parameters.get("score", default.score), parameters.get("relevant", default.relevant)
    return Rule(float(score), {name: float(value) for name, value in relevant.items()})
