"""Pure replay: lines of series in, lines of changes out.  No database, clock or settings."""

from perfsite.regressions.replay.running import Options, replay

__all__ = ["Options", "replay"]
