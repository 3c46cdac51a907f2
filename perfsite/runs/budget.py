"""What marks the device time that the site spends of its own accord."""

from __future__ import annotations

SEARCH = "search"  # `spec["backfill"]` of a measure job that the site ordered for a search of its own
PULL = "pull"  # `spec["purpose"]` of a pull request's comparison: its author asked, not the site
