"""What changed inside, for a message: where the change came from, and the layers that moved most."""

from __future__ import annotations

import logging

from perfsite.regressions.layers import LayerRow, layers_shown
from perfsite.regressions.models import Attribution, Incident, Regression, Verdict
from perfsite.regressions.wording import Change, change_words

# the page has the rest
MOST_LAYERS = 3

log = logging.getLogger(__name__)


def inside_of(verdict: Verdict) -> tuple[str, ...]:
    """What the change is made of, as far as it was attributed: each part with its share."""
    key = verdict.evidence.get("refuted", verdict.pk) if verdict.stage == "environment" else verdict.pk
    found = Attribution.objects.filter(verdict_id=key).first()
    if found is None:
        return ()
    return tuple(
        f"{part['cause']}: {change_words(Change(0, 0, part['relative'], part['low'], part['high']))}"
        for part in found.parts
        if part["relative"] is not None
    )


def layers_told(*, incident: Incident, worst: Regression | None) -> tuple[str, ...]:
    """The layers of the worst regression that moved most, as the incident's page has them; none unknown.

    A message does not wait for a profile, so these are those that are known by now.
    """
    try:
        shown = layers_shown(incident=incident, worst=worst)
    except Exception:  # whatever is wrong with the files must not hold the message
        log.exception("the layers of incident %s cannot be told", incident.pk)
        return ()
    if shown is None or not shown.rows:
        return ()
    left = len(shown.rows) - MOST_LAYERS + shown.more
    lines = [f"Layers: {shown.source}"] if shown.source else []
    lines += [*map(_row_words, shown.rows[:MOST_LAYERS]), *shown.sentences[:1]]
    return (*lines, f"and {left} more on the page") if left > 0 else tuple(lines)


def _row_words(row: LayerRow) -> str:
    """`block.3: 200 µs → 800 µs, +600 µs (75 %); kernel winograd → direct`."""
    times = f"{row.before} → {row.after}" if row.before and row.after else row.before or row.after
    share = f" ({row.share} of the change)" if row.share else ""
    moved = ", ".join(filter(None, (times, row.change))) + share
    return f"{row.names}: {'; '.join(filter(None, (moved, row.differs)))}"
