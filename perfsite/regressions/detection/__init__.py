"""Pure detection: numbers in, a judgement with its evidence out.  No database, clock or settings."""

from perfsite.regressions.detection.screening import DETECTOR, Screening, screen

__all__ = ["DETECTOR", "Screening", "screen"]
