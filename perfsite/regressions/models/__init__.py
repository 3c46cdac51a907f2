"""The tables of the room, a file for each part of it."""

from perfsite.regressions.models.causes import Attribution, Bisection, BisectionStep
from perfsite.regressions.models.grading import RuleChange, SelfTest
from perfsite.regressions.models.incidents import Incident, IncidentEvent, LevelStanding, Regression
from perfsite.regressions.models.screening import AGAIN, SeriesState, Suspicion, Verdict

__all__ = [
    "AGAIN",
    "Attribution",
    "Bisection",
    "BisectionStep",
    "Incident",
    "IncidentEvent",
    "LevelStanding",
    "Regression",
    "RuleChange",
    "SelfTest",
    "SeriesState",
    "Suspicion",
    "Verdict",
]
