"""The search for the guilty commit among those that a push skipped."""

from perfsite.regressions.bisection.sweep import bisections_step

__all__ = ["bisections_step"]
