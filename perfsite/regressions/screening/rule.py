"""The screen's rule: the defaults, and what stored parameters set otherwise.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from benchmarks.metrics import Metric
from perfsite.regressions.detection import EAGER, Persona
from perfsite.regressions.detection.rule import DEFAULTS, Parameters
from perfsite.runs.relevant import Relevant


@dataclass(frozen=True)
class Rule:
    """`score` is what a suspicion must reach; `relevant` maps keys to smallest relative changes.

    A key names a metric, or a case and a metric (`perfsite.runs.relevant`).  What no key is about keeps
    the relevant change of its row in `benchmarks.metrics`.
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

    @cached_property
    def _relevant(self) -> Relevant:
        return Relevant(self.relevant)

    @property
    def has_cases(self) -> bool:
        """Whether `metric_of` asks for the case."""
        return self._relevant.has_cases

    def metric_of(self, metric: Metric, *, case: str) -> Metric:
        """The metric with the smallest change worth telling of a case, by its label."""
        return self._relevant.metric_of(metric, case=case)


def rule_read(parameters: Mapping[str, Any]) -> Rule:
    """The rule of stored parameters; names that are not the screen's are left to whom they belong."""
    default = Rule()
    score, relevant = parameters.get("score", default.score), parameters.get("relevant", default.relevant)
    return Rule(float(score), {key: float(value) for key, value in relevant.items()})
