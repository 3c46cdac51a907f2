"""Where changes came from, and what later data make of them: environment, withdrawal, resolution."""

from perfsite.regressions.causes.sweep import causes_find

__all__ = ["causes_find"]
