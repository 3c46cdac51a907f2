"""Pure detection: numbers in, a judgement with its evidence out.  No database, clock or settings."""

from benchmarks.sequential import Budget
from perfsite.regressions.detection.confirming import Ask, Asking, Finding, PairScreen, Spending
from perfsite.regressions.detection.full import Change, changes_find
from perfsite.regressions.detection.online import OnlineScreen, changes_told
from perfsite.regressions.detection.personas import EAGER, STRICT, Persona, Told
from perfsite.regressions.detection.screening import DETECTOR, Screening, screen

__all__ = [
    "DETECTOR",
    "EAGER",
    "STRICT",
    "Ask",
    "Asking",
    "Budget",
    "Change",
    "Finding",
    "OnlineScreen",
    "PairScreen",
    "Persona",
    "Screening",
    "Spending",
    "Told",
    "changes_find",
    "changes_told",
    "screen",
]
