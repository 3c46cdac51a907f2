"""From suspicions to verdicts: one comparison for all of a build, within what a day may cost."""
