"""What the pairs of a suspicion showed and took, as it is written."""

from __future__ import annotations

from perfsite.regressions.detection import Finding
from perfsite.regressions.replay.lines import Series

Row = dict[str, object]


def finding_row(series: Series, finding: Finding) -> Row:
    """The verdict of a comparison, the relative effect with its interval, and the pairs."""
    bounds = None if finding.low is None or finding.high is None else [finding.low, finding.high]
    return {
        "verdict": _verdict(series, finding),
        "effect": finding.change,
        "interval": bounds,
        "level": finding.level,
        "pairs": finding.pairs,
        "spent": finding.spent,
    }


def comparison_row(series: Series, finding: Finding, *, told: bool) -> Row:
    """A suspicion that was asked about, told or not."""
    return {
        "index": series.builds[finding.index],
        "asked_at": series.builds[finding.asked_at],
        **finding_row(series, finding),
        "told": told,
    }


def _verdict(series: Series, finding: Finding) -> str:
    if finding.kind != "changed":
        return finding.kind
    return "regressed" if finding.rises == series.lower_is_better else "improved"
