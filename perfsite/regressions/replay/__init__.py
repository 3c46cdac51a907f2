"""Pure replay: lines of series in, lines of changes out.  No database, clock or settings."""

from perfsite.regressions.replay.running import Options, RuleName, replay

__all__ = ["Options", "RuleName", "replay"]
